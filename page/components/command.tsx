import { useEffect, useState } from 'preact/hooks';

import { texts } from '../texts.ts';
import type { Remedy } from '../views/view.ts';
import { useEnv } from './env.tsx';

const SHOWN_MS = 2000;

/** A command line to copy. */
export function Command({ title, text }: { readonly title: string; readonly text: string }) {
  const { local } = useEnv();
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    const timer = copied ? setTimeout(() => setCopied(false), SHOWN_MS) : undefined;
    return () => clearTimeout(timer);
  }, [copied]);
  return (
    <div class="command">
      <p>{title}</p>
      <div class="command-line">
        <code>{text}</code>
        {/* Only where scripts run: the text can always be selected. */}
        {local && (
          <button
            type="button"
            class="button"
            aria-label={`${texts.export.copy}: ${title}`}
            onClick={() => void navigator.clipboard.writeText(text).then(() => setCopied(true))}
          >
            <span aria-live="polite">{copied ? texts.export.copied : texts.export.copy}</span>
          </button>
        )}
      </div>
    </div>
  );
}

/** A remedy of a problem: a command line, or an address. */
export const RemedyLine = ({ remedy: { does, text } }: { readonly remedy: Remedy }) =>
  text.startsWith('https://') ? (
    <p>
      <a href={text} rel="noreferrer">
        {text}
      </a>
    </p>
  ) : (
    <Command title={texts.remedies[does]} text={text} />
  );
