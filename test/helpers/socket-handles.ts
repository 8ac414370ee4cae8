/** Handles of sockets, as a descriptor channel gives them. */
import { once } from 'node:events'
import net from 'node:net'
import type { SocketHandle } from '../../engine/internals/socket-handle.js'

/** Handles without a socket, as a descriptor channel gives them. */
export async function socketPair(path: string): Promise<[SocketHandle, SocketHandle]> {
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true })
  server.listen(path)
  await once(server, 'listening')
  const client = net.connect({ path, allowHalfOpen: true })
  client.pause()
  const arrived = once(server, 'connection') as Promise<[net.Socket]>
  await once(client, 'connect')
  const [socket] = await arrived
  const handles: [SocketHandle, SocketHandle] = [takeHandle(client), takeHandle(socket)]
  server.close()
  return handles
}

/** The handle of a socket that is paused, from here on without it. */
export function takeHandle(socket: net.Socket): SocketHandle {
  const shell = socket as unknown as { _handle: (SocketHandle & { readStop(): void; reading: boolean }) | null }
  const handle = shell._handle
  if (handle === null) throw new Error('the socket is closed')
  handle.readStop()
  handle.reading = false
  shell._handle = null
  socket.destroy()
  return handle
}
