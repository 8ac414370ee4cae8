/**
 * Closes the process's stdin and stdout, so that the peer sees their end: libuv leaves descriptors 0 to 2 open when a
 * stream over them is closed, and so does a worker that is terminated. The next file that any thread opens would get
 * the closed number, and with it what others print, so /dev/null takes its place at once. Node has no dup2(), so a
 * thread that opens a file between the two calls keeps the number. Main does it, since Node closes what a worker has
 * opened together with the worker.
 */
import fs from 'node:fs'
import net from 'node:net'
import { makeBlocking } from '../internals/socket-handle.js'
import type { StdioDescriptor } from '../protocol/target.js'

/** Puts /dev/null in the place of a pipe or socket that is unused by now; files and terminals stay. May be repeated. */
export function releaseStdio(descriptor: StdioDescriptor): void {
  try {
    const stat = fs.fstatSync(descriptor)
    if (!stat.isFIFO() && !stat.isSocket()) return
    restoreBlocking(descriptor)
    fs.closeSync(descriptor)
    const taken = fs.openSync('/dev/null', descriptor === 0 ? 'r' : 'w')
    if (taken !== descriptor) fs.closeSync(taken)
  } catch {
    // Closed already by others, or there is no /dev/null: there is nothing more to do.
  }
}

/** Others may share it, as the next command of a shell script does: they expect to find it as it was. */
function restoreBlocking(fd: StdioDescriptor): void {
  try {
    const socket = new net.Socket({ fd, readable: false, writable: false })
    makeBlocking(socket)
    socket.destroy()
  } catch {
    // Not a stream that Node knows.
  }
}
