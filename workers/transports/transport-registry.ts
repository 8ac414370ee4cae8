/** Every transport that a shard knows. One that is missing, or lacks what its traits say, does not compile. */
import type {
  ListeningKind,
  ListenTarget,
  TargetOf,
  TransportKind,
  TransportTarget,
} from '../../engine/protocol/target.js'
import type { SocketHandle } from '../../engine/internals/socket-handle.js'
import type { AcceptedPeer, Dialler, ListeningTransport } from '../shard-transport.js'
import { childPipesTransport } from './child-pipes.js'
import { childStdioTransport } from './child-stdio.js'
import { fdTransport } from './fd.js'
import { memoryTransport } from './memory.js'
import { pipeTransport } from './pipe.js'
import { processStdioTransport } from './process-stdio.js'
import { unixPeer, unixTransport } from './unix.js'

type Registry = {
  readonly [Kind in TransportKind]: Kind extends ListeningKind
    ? ListeningTransport<TargetOf<Kind>>
    : Dialler<TargetOf<Kind>>
}

const registry: Registry = {
  unix: unixTransport,
  fd: fdTransport,
  pipe: pipeTransport,
  memory: memoryTransport,
  'child-stdio': childStdioTransport,
  'child-pipes': childPipesTransport,
  'process-stdio': processStdioTransport,
}

// The kind and its target meet again here: the types of methods, unlike those of functions, allow it.

export function diallerFor(target: TransportTarget): Dialler<TransportTarget> {
  return registry[target.kind]
}

export function listenerFor(target: ListenTarget): ListeningTransport<ListenTarget> {
  return registry[target.kind]
}

/** A connection that another shard has accepted, and of which nothing was read. */
export function peerOver(handle: SocketHandle): AcceptedPeer {
  return unixPeer(handle)
}
