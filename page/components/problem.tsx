import { texts } from '../texts.ts';
import type { ProblemView } from '../views/view.ts';

export function ProblemPage({ view }: { readonly view: ProblemView }) {
  const { title, text } = texts.problem[view.status];
  return (
    <div class="message">
      <p class="message-code">{view.status}</p>
      <h1>{title}</h1>
      <p>{text}</p>
      <p>
        <a class="button" href="/">
          {texts.problem.home}
        </a>
      </p>
    </div>
  );
}
