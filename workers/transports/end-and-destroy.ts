/** How a socket is destroyed of which main may have a duplicate. */
import type net from 'node:net'

/**
 * Ends what is written, then closes. While a duplicate is on its way to main, closing this descriptor ends nothing for
 * the peer, and main may be busy for any time.
 */
export function endAndDestroy(socket: net.Socket): void {
  // Behind bytes that the peer does not take, the end would have to wait for it.
  if (socket.writableEnded || socket.writableLength > 0) socket.destroy()
  else socket.end(() => socket.destroy())
}
