/** The process's own stdin and stdout as the one connection that they can be: see docs/decisions/process-stdio.md. */
import type { LaneConnection, ConnectionIdentity } from '../connection/lane-connection.js'
import type { ConnectionSettings } from '../connection/connection-settings.js'
import { TransportError } from '../protocol/errors.js'
import type { Ledger } from '../common/ledger.js'
import { releaseStdio } from '../shard/release-stdio.js'
import type { DialControl, Shard } from '../shard/shard.js'

/** Of this process, for all its engines. */
let use: 'free' | 'taken' | 'spent' = 'free'

const refusals = {
  taken: [
    'ERR_ADDRESS_IN_USE',
    'stdin and stdout of this process are a connection already. Use that one: there is no other.',
  ],
  spent: [
    'ERR_CLOSED',
    'stdin and stdout of this process were a connection, which has ended: what followed would begin in the middle. End the process, and start it anew.',
  ],
} as const

/** Rejects with ERR_ADDRESS_IN_USE while it is a connection, ERR_CLOSED once it was one, or as `Shard.dial()` does. */
export async function dialProcessStdio(
  shard: Shard,
  options: ConnectionSettings,
  identity: ConnectionIdentity,
  control: DialControl,
  ledger: Ledger,
): Promise<LaneConnection> {
  if (use !== 'free') {
    const [code, message] = refusals[use]
    throw new TransportError(code, message, { endpoint: identity.endpoint })
  }
  use = 'taken'
  ledger.open('descriptors', 2)
  let connection: LaneConnection
  try {
    connection = await shard.dial({ kind: 'process-stdio' }, options, identity, control)
  } catch (error) {
    // Nothing was read or written: another connection can start at the beginning.
    use = 'free'
    ledger.release('descriptors', 2)
    throw error
  }
  void connection.ended.then(() => {
    use = 'spent'
    // The shard has called for it, unless it has died.
    releaseStdio(0)
    releaseStdio(1)
    ledger.release('descriptors', 2)
  })
  return connection
}
