import { hydrate } from 'preact';

import type { Frame } from '../components/app.tsx';
import { Root } from './root.tsx';

/** Continues the page that the server rendered, with the same data. */
const data = document.querySelector('#frame')?.textContent;
const place = document.querySelector('#app');
if (data && place) {
  hydrate(<Root first={JSON.parse(data) as Frame} />, place);
}
