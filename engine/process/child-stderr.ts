/** Reads a child's stderr: keeps its beginning, and calls the host's function with each line, if there is one. */
import type { Readable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'
import { attempt } from '../common/handler-failures.js'
import type { Clock } from '../protocol/clock.js'

/** Kept for the message of an error. */
const HEAD_CHARS = 2_048
/** A longer line is handed over in pieces. */
const LINE_CHARS = 65_536
/** After the exit, a silence of this length means that nothing more comes. */
const DRAIN_MS = 100
const DRAIN_ROUNDS = 10

export class StderrReader {
  readonly #stream: Readable
  readonly #clock: Clock
  readonly #onFailure: (cause: unknown) => void
  readonly #decoder = new StringDecoder('utf8')
  #onLine: ((line: string) => unknown) | undefined
  #head = ''
  #line = ''
  #chunks = 0
  #over = false
  #onEnd = (): void => undefined

  /** `onFailure`: `onLine` has thrown or rejected, and is not called again. */
  constructor(
    stream: Readable,
    onLine: ((line: string) => unknown) | undefined,
    onFailure: (cause: unknown) => void,
    clock: Clock,
  ) {
    this.#stream = stream
    this.#onLine = onLine
    this.#onFailure = onFailure
    this.#clock = clock
    // A pipe from a child is a socket, unlike its type says.
    ;(stream as { unref?: () => void }).unref?.()
    stream.on('error', () => undefined)
    stream.on('data', (chunk: Buffer) => {
      this.#chunks++
      this.#take(this.#decoder.write(chunk))
    })
    stream.on('end', () => {
      this.#finish()
      this.#onEnd()
    })
  }

  get head(): string {
    return this.#head.trim()
  }

  /** The child has exited: resolves when what it has written is read. What a grandchild goes on to write is not. */
  async drain(): Promise<void> {
    for (let rounds = DRAIN_ROUNDS; rounds > 0 && !this.#over; rounds--) {
      const heard = this.#chunks
      await this.#pause()
      if (this.#chunks === heard) break
    }
    this.#finish()
    // A grandchild may hold the other end forever.
    this.#stream.destroy()
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#clock.setTimer(() => {
        // Timers come before reads: what has arrived by now counts.
        this.#clock.nextTurn(resolve)
      }, DRAIN_MS)
      this.#onEnd = () => {
        cancel()
        resolve()
      }
    })
  }

  #take(text: string): void {
    if (this.#head.length < HEAD_CHARS) this.#head = (this.#head + text).slice(0, HEAD_CHARS)
    if (this.#onLine === undefined) return
    const lines = (this.#line + text).split('\n')
    this.#line = lines.pop() ?? ''
    for (const line of lines) this.#call(this.#callWithPieces(line.endsWith('\r') ? line.slice(0, -1) : line))
    this.#line = this.#callWithPieces(this.#line)
  }

  /** Hands over what is too long for one call, and returns the rest. */
  #callWithPieces(line: string): string {
    let at = 0
    while (line.length - at > LINE_CHARS) {
      const last = line.charCodeAt(at + LINE_CHARS - 1)
      // Both halves of a surrogate pair go together.
      const end = at + LINE_CHARS - (last >= 0xd800 && last <= 0xdbff ? 1 : 0)
      this.#call(line.slice(at, end))
      at = end
    }
    return at === 0 ? line : line.slice(at)
  }

  #call(line: string): void {
    // A promise is not waited for, but its rejection counts as a failure.
    attempt(
      () => this.#onLine?.(line),
      (cause) => {
        if (this.#onLine === undefined) return
        this.#onLine = undefined
        this.#onFailure(cause)
      },
    )
  }

  #finish(): void {
    if (this.#over) return
    this.#over = true
    this.#take(this.#decoder.end())
    if (this.#line !== '') this.#call(this.#line)
  }
}
