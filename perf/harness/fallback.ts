/** Whether connections that asked for shared memory have it. */
import type { Connection, Engine } from '../../api/index.js'

/** Why some of the connections go over their sockets; undefined: none does. */
export function fallbackOf(
  engine: Pick<Engine, 'stats'>,
  connections: readonly Pick<Connection, 'info'>[],
): string | undefined {
  const count = connections.filter(({ info }) => info.memory !== 'shared').length
  if (count === 0) return undefined
  // This process has it: then the other one said no.
  const { reason = 'the peer could not share memory' } = engine.stats().sharedMemory
  return count === connections.length ? reason : `${String(count)} of ${String(connections.length)}: ${reason}`
}
