/** The files of the page, which the build puts in place of this module (infra/build-page.ts). */
declare module 'page:assets' {
  import type { Assets } from '../page/server/assets.ts';

  export const assets: Assets;
}
