/** What the engine is doing, on stderr, when the environment says NODE_DEBUG=symphony-transport. Free otherwise. */
import { debuglog } from 'node:util'

export const trace = debuglog('symphony-transport')
