/** Prints what the engine does to stderr if the environment has NODE_DEBUG=symphony-transport; else it is free. */
import { debuglog } from 'node:util'

export const trace = debuglog('symphony-transport')

/** Its `enabled` has engines trace hops; each prints them when it closes. */
export const debugHops = debuglog('symphony-hops')
