import type { Adaptable } from './adaptable.js'
import { endFully } from './end-fully.js'

/**
 * After a `send()` that said false: resolves when there is room for more. Where our side is ending, since the peer has,
 * more is not wanted, and what was taken still leaves: then it resolves when all has. Rejects with why it has not.
 */
export async function room(connection: Adaptable, signal?: AbortSignal): Promise<void> {
  try {
    await connection.ready({ signal })
  } catch (error) {
    if (signal?.aborted === true) throw error
    await endFully(connection, signal)
  }
}
