/** Moving the handle of an accepted socket into one that reads into memory of our choice. */
import net from 'node:net'

/** What `net` keeps behind a socket. Undocumented; tried on each Node version of the test matrix. */
interface Shell {
  _handle: object | null
}

/**
 * A socket that a `net.Server` made takes no `onread` any more. Its handle is moved into a socket that does; the shell
 * is destroyed so that the server's connection count goes down. Undefined: the handle could not be had, and the
 * accepted socket is as it was. The new socket is paused.
 */
export function moveHandle(accepted: net.Socket, onread: net.OnReadOpts): net.Socket | undefined {
  const shell = accepted as unknown as Shell
  const handle = shell._handle
  if (handle === null || typeof handle !== 'object') return undefined
  shell._handle = null
  const options = { handle, onread, allowHalfOpen: true, pauseOnCreate: true }
  const socket = new net.Socket(options)
  accepted.destroy()
  return socket
}
