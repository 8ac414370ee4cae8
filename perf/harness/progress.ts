/** What a long run shows on stderr meanwhile: how far it is, and about how long it still takes. */

/** Where it is shown; a terminal has one line that changes, anything else gets a line now and then. */
export interface ProgressOutput {
  readonly isTTY?: boolean | undefined
  write(text: string): unknown
}

/** Milliseconds between two lines where there is no terminal. */
const EACH_MS = 15_000

export class Progress {
  readonly #output: ProgressOutput
  readonly #now: () => number
  #title = ''
  #startedAt = 0
  #done = 0
  #total = 0
  #saidAt = 0
  #shows = false

  /** `now`: milliseconds. */
  constructor(output: ProgressOutput, now: () => number = () => performance.now()) {
    this.#output = output
    this.#now = now
  }

  /** Work of so many steps, which take about the same time each, begins. */
  begin(title: string, total: number): void {
    this.#title = title
    this.#total = total
    this.#done = 0
    this.#startedAt = this.#now()
    this.#saidAt = this.#startedAt
    this.#show()
  }

  /** One step is over. */
  step(): void {
    this.#done++
    this.#show()
  }

  /** The work is over, and its line goes. */
  end(): void {
    if (this.#shows) this.#output.write('\r\u001b[K')
    this.#shows = false
  }

  #show(): void {
    const now = this.#now()
    const left = this.#done === 0 ? undefined : ((now - this.#startedAt) / this.#done) * (this.#total - this.#done)
    const line = `${this.#title}: ${String(this.#done)} of ${String(this.#total)}${left === undefined ? '' : `, ${inWords(left)} left`}`
    if (this.#output.isTTY === true) {
      this.#output.write(`\r\u001b[K${line}`)
      this.#shows = true
    } else if (now - this.#saidAt >= EACH_MS) {
      this.#output.write(`${line}\n`)
      this.#saidAt = now
    }
  }
}

export function inWords(milliseconds: number): string {
  const seconds = Math.ceil(milliseconds / 1_000)
  return seconds < 90 ? `${String(seconds)} s` : `${String(Math.ceil(seconds / 60))} min`
}

/** For callers that show nothing. */
export const silent = new Progress({ write: () => undefined })
