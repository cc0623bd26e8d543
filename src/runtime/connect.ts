/** Connects as `node:net` does. */
export { connect } from 'node:net';
