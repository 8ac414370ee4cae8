/** Every transport that a shard knows. A kind without a line here does not compile. */
import type { TransportKind, TransportTarget } from '../../engine/protocol/target.js'
import type { ShardTransport } from '../wire.js'
import { childPipesTransport } from './child-pipes.js'
import { memoryTransport } from './memory.js'
import { processStdioTransport } from './process-stdio.js'
import { pipeTransport } from './pipe.js'
import { childStdioTransport } from './child-stdio.js'
import { unixTransport } from './unix.js'

type Registry = { readonly [Kind in TransportKind]: ShardTransport<Extract<TransportTarget, { kind: Kind }>> }

const registry: Registry = {
  unix: unixTransport,
  pipe: pipeTransport,
  memory: memoryTransport,
  'child-stdio': childStdioTransport,
  'child-pipes': childPipesTransport,
  'process-stdio': processStdioTransport,
}

/** The transport for a target. The cast is the one place where the kind and its target meet again. */
export function transportFor(target: TransportTarget): ShardTransport<TransportTarget> {
  return registry[target.kind]
}
