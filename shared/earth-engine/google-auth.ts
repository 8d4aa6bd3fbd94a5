/** A module of its own, to be loaded late: esbuild gives a dynamic import of a CommonJS package no names in ES modules. */
export { GoogleAuth } from 'google-auth-library';
