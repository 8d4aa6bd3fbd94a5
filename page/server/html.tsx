import { renderToString } from 'preact-render-to-string';

import { App, type Frame, titleOf } from '../components/app.tsx';
import { EnvContext } from '../components/env.tsx';
import type { Assets } from './assets.ts';

/** A page as HTML, with the view that it was made from: the browser continues with the same data. */
export function renderPage(frame: Frame, { script, style, icon }: Assets): string {
  const { view, project, now } = frame;
  const body = renderToString(
    <EnvContext.Provider value={{ now: Date.parse(now), local: false }}>
      <App project={project} view={view} />
    </EnvContext.Provider>,
  );
  const head = renderToString(
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <meta name="color-scheme" content="light dark" />
      <title>{titleOf(view)}</title>
      <link rel="icon" type="image/svg+xml" href={`/assets/${icon}`} />
      <link rel="stylesheet" href={`/assets/${style}`} />
      <script type="module" src={`/assets/${script}`} />
    </head>,
  );
  return `<!doctype html>
<html lang="en">
${head}
<body>
<div id="app">${body}</div>
<script type="application/json" id="frame">${inScript(JSON.stringify(frame))}</script>
</body>
</html>
`;
}

/** JSON inside of a script element: a text with `</script>` or `<!--` must not end it. */
const inScript = (json: string): string =>
  json
    .replaceAll('<', String.raw`\u003c`)
    .replaceAll('\u2028', String.raw`\u2028`)
    .replaceAll('\u2029', String.raw`\u2029`);
