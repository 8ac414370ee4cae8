/** The process's stdin and stdout as one wire: see docs/decisions/process-stdio.md. */
import { fromSystemError } from '../../engine/protocol/errors.js'
import type { TargetOf } from '../../engine/protocol/target.js'
import { refusedDial, type Dialler, type MainSide } from '../shard-transport.js'
import type { Wire, WireOwner } from '../wire.js'
import { openInput, type Input } from './process-stdin.js'
import { openOutput, type Output } from './process-stdout.js'

class ProcessStdioWire implements Wire {
  readonly #input: Input
  readonly #output: Output
  #open = 2
  #ending = false
  #error: NodeJS.ErrnoException | undefined

  /** @throws The system's error. */
  constructor(owner: WireOwner, main: MainSide) {
    const failed = (error: NodeJS.ErrnoException | undefined): void => {
      this.#error ??= error
      // A peer that reads no more is neither waited for nor listened to: both ends close.
      if (error !== undefined) this.destroy()
    }
    const closed = (): void => {
      if (--this.#open === 0) owner.onClose(this.#error)
    }
    this.#output = openOutput(owner, (error) => {
      failed(error)
      void main.releaseStdio(1).then(() => {
        // Not before: the peer must find the end by the time when `end()` says that it is there.
        if (error === undefined && this.#ending) owner.onFinished()
        closed()
      })
    })
    this.#input = openInput(owner, (error) => {
      failed(error)
      void main.releaseStdio(0).then(closed)
    })
  }

  resume(): void {
    this.#input.resume()
  }

  /** Others may have the same terminal or file, and expect nothing of a descriptor that does not block. */
  tryWrite(): number {
    return 0
  }

  write(first: Uint8Array, second: Uint8Array | undefined): void {
    this.#output.write(first, second)
  }

  end(): void {
    this.#ending = true
    this.#output.end()
  }

  destroy(): void {
    this.#input.destroy()
    this.#output.destroy()
  }
}

export const processStdioTransport: Dialler<TargetOf<'process-stdio'>> = {
  dial(_target, owner, main) {
    try {
      // It is there at once: there is nothing to abort.
      return { connected: Promise.resolve(new ProcessStdioWire(owner, main)), abort: () => undefined }
    } catch (error) {
      // What was opened before it holds no descriptor of its own, and reads nothing.
      return refusedDial(fromSystemError(error as NodeJS.ErrnoException, 'opening', 'stdio:'))
    }
  },
}
