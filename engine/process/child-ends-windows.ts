/**
 * A child's stdin and stdout on Windows: the shard listens on two named pipes, and main opens each as a file, which
 * gives the child a handle that is tied to no event loop. See docs/decisions/children-on-windows.md.
 */
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import { fromSystemError } from '../protocol/errors.js'
import { TOKEN_BYTES } from '../protocol/target.js'
import type { StdioEnd, StdioOffer } from './stdio-end.js'

const NAME_BYTES = 16

export function offerPipes(endpoint: string): StdioOffer {
  const name = `\\\\.\\pipe\\symphony-child-${randomBytes(NAME_BYTES).toString('hex')}`
  const token = randomBytes(TOKEN_BYTES)
  const target = { kind: 'child-pipes', stdin: `${name}-in`, stdout: `${name}-out`, token } as const
  const opened: PipeEnd[] = []
  const open = (path: string, flags: number): PipeEnd => {
    const end = new PipeEnd(path, flags, token)
    opened.push(end)
    return end
  }
  return {
    target,
    take() {
      try {
        // Writable too: main writes a token, which tells it from others that find the pipe.
        const stdin = open(target.stdin, fs.constants.O_RDWR)
        return Promise.resolve([stdin, open(target.stdout, fs.constants.O_WRONLY)])
      } catch (error) {
        // The shard has closed it, for a reason that ends the connection.
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Promise(() => undefined)
        return Promise.reject(fromSystemError(error as NodeJS.ErrnoException, 'starting', endpoint))
      }
    },
    close() {
      for (const end of opened) end.close()
    },
  }
}

class PipeEnd implements StdioEnd {
  readonly stdio: number
  #open = true

  /** @throws The system's error. */
  constructor(path: string, flags: number, token: Uint8Array) {
    this.stdio = fs.openSync(path, flags)
    try {
      fs.writeSync(this.stdio, token)
    } catch (error) {
      this.close()
      throw error
    }
  }

  close(): void {
    // Its number may be another file's by now.
    if (!this.#open) return
    this.#open = false
    fs.closeSync(this.stdio)
  }
}
