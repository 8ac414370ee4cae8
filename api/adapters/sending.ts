/** What an adapter waits for after it has sent a frame, or its last one. */
import type { Adaptable } from './adaptable.js'

type Sending = Pick<Adaptable, 'ready' | 'end'>

/**
 * After a `send()` that returned false: resolves when there is room for more. Where this side is ending, because the
 * peer has ended, no more is wanted: then it resolves when all has left, and rejects with why it has not.
 */
export async function waitForRoom(connection: Sending, signal?: AbortSignal): Promise<void> {
  try {
    await connection.ready({ signal })
  } catch (error) {
    if (signal?.aborted === true) throw error
    await endFully(connection, signal)
  }
}

/** As `end()`, which also resolves when the connection is over: rejects with why it is, if not everything has left. */
export async function endFully(connection: Sending, signal?: AbortSignal): Promise<void> {
  await connection.end({ signal })
  // Nothing can be sent any more: the error that says so has the reason, if there is one.
  await connection.ready().catch((error: unknown) => {
    const { cause } = error as Error
    if (cause !== undefined) throw cause as Error
  })
}
