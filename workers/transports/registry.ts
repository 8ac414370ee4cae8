/** Every transport that a shard knows. A kind without a line here does not compile. */
import type { TransportKind, TransportTarget } from '../../engine/shared/target.js'
import type { ShardTransport } from '../../engine/shared/wire.js'
import { childPipesTransport } from './child-pipes.js'
import { memoryTransport } from './memory.js'
import { ownStdioTransport } from './own-stdio.js'
import { pipeTransport } from './pipe.js'
import { stdioTransport } from './stdio.js'
import { unixTransport } from './unix.js'

type Registry = { readonly [Kind in TransportKind]: ShardTransport<Extract<TransportTarget, { kind: Kind }>> }

const registry: Registry = {
  unix: unixTransport,
  pipe: pipeTransport,
  memory: memoryTransport,
  stdio: stdioTransport,
  'child-pipes': childPipesTransport,
  'own-stdio': ownStdioTransport,
}

/** The transport for a target. The cast is the one place where the kind and its target meet again. */
export function transportFor(target: TransportTarget): ShardTransport<TransportTarget> {
  return registry[target.kind]
}
