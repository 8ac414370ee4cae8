import type { Adaptable } from './adaptable.js'

/**
 * As `end()`, which also resolves when the connection is over: rejects with why it is, where not everything has left.
 */
export async function endFully(connection: Adaptable, signal?: AbortSignal): Promise<void> {
  await connection.end({ signal })
  // Nothing can be sent any more: what a sender is told now has the reason, if there is one.
  await connection.ready().catch((error: unknown) => {
    const { cause } = error as Error
    if (cause !== undefined) throw cause as Error
  })
}
