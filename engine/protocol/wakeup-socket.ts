/**
 * A socket between main and a shard that carries nothing but wake-ups, a byte each. There is a MessagePort for the
 * same, and which is better depends on what the waking thread does next (measured in docs/decisions/wakeup-socket.md):
 *
 *  - The socket wakes with the kernel's hint that the waker is about to sleep, so the woken thread starts on the same
 *    CPU, and no lock is shared. Best for a thread that has nothing more to do.
 *  - The port wakes without the hint, so the woken thread starts on a free CPU. Best for a thread that goes on (spins).
 *    But it wakes while it holds a lock that the woken thread takes first thing.
 */
import fs from 'node:fs'
import type net from 'node:net'
import { descriptorOf } from '../internals/socket-handle.js'

const BYTE = Buffer.from([1])

export class WakeupSocket {
  readonly #socket: net.Socket
  readonly #fd: number

  constructor(socket: net.Socket) {
    this.#socket = socket
    this.#fd = descriptorOf(socket) ?? -1
    socket.on('error', () => undefined)
    socket.unref()
    socket.resume()
  }

  /** One system call; never blocks, never throws. False: the socket is broken, and woke no one. */
  wake(): boolean {
    // From then on the descriptor may be that of another file.
    if (this.#socket.destroyed || this.#fd < 0) return false
    try {
      fs.writeSync(this.#fd, BYTE, 0, 1)
      return true
    } catch (error) {
      // Full: the other side has wake-ups to read anyway.
      return (error as NodeJS.ErrnoException).code === 'EAGAIN'
    }
  }

  close(): void {
    this.#socket.destroy()
  }
}

/** Reads wake-ups, as many as have come, and ignores their bytes. */
export function readWakeups(onWake: () => void): net.OnReadOpts {
  return {
    buffer: Buffer.alloc(64),
    callback: () => {
      onWake()
      return true
    },
  }
}
