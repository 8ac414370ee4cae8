/** What a long run shows on stderr meanwhile: how far it is, and about how long it still takes. */

/** Where it is shown; a terminal has one line that changes, anything else gets a line now and then. */
export interface ProgressOutput {
  readonly isTTY?: boolean | undefined
  write(text: string): unknown
}

/** Milliseconds between two lines where there is no terminal. */
const EACH_MS = 15_000
/** A line that changes as seldom as this shows that the run goes on. */
const TICK_MS = 1_000

interface Work {
  readonly title: string
  /** Undefined: nobody knows. */
  readonly total: number | undefined
  readonly startedAt: number
  readonly done: number
  /** When the last step was over. */
  readonly steppedAt: number
}

export class Progress {
  readonly #output: ProgressOutput
  readonly #now: () => number
  #part = ''
  /** Undefined: nothing is under way. */
  #work: Work | undefined
  #saidAt = 0
  #shows = false

  /** `now`: milliseconds. */
  constructor(output: ProgressOutput, now: () => number = () => performance.now()) {
    this.#output = output
    this.#now = now
  }

  /** From now on the line moves even while a step takes long. It keeps no process alive. */
  ticking(): this {
    setInterval(() => {
      this.tick()
    }, TICK_MS).unref()
    return this
  }

  /** What the next works are a part of, in front of each. */
  part(title: string): void {
    this.#part = title
  }

  /** Work of so many steps, which take about the same time each, begins; of unknown length where there is no total. */
  begin(title: string, total?: number): void {
    const now = this.#now()
    this.#work = { title, total, startedAt: now, done: 0, steppedAt: now }
    this.#saidAt = now
    this.#show(this.#work)
  }

  /** One step is over. */
  step(): void {
    if (this.#work === undefined) return
    this.#work = { ...this.#work, done: this.#work.done + 1, steppedAt: this.#now() }
    this.#show(this.#work)
  }

  /** Time has passed. */
  tick(): void {
    if (this.#work !== undefined) this.#show(this.#work)
  }

  /** The work is over, and its line goes. */
  end(): void {
    this.#work = undefined
    if (this.#shows) this.#output.write('\r\u001b[K')
    this.#shows = false
  }

  #show(work: Work): void {
    const now = this.#now()
    const part = this.#part === '' ? '' : `${this.#part}, `
    const line = `${part}${work.title}${howFar(work, now)}`
    if (this.#output.isTTY === true) {
      this.#output.write(`\r\u001b[K${line}`)
      this.#shows = true
    } else if (now - this.#saidAt >= EACH_MS) {
      this.#output.write(`${line}\n`)
      this.#saidAt = now
    }
  }
}

function howFar({ total, startedAt, done, steppedAt }: Work, now: number): string {
  const passed = now - startedAt >= TICK_MS ? `, ${inWords(now - startedAt)} so far` : ''
  if (total === undefined) return passed
  const count = `: ${String(done)} of ${String(total)}`
  if (done === 0) return `${count}${passed}`
  const left = ((steppedAt - startedAt) / done) * (total - done)
  return `${count}, ${inWords(Math.max(0, left - (now - steppedAt)))} left`
}

export function inWords(milliseconds: number): string {
  const seconds = Math.ceil(milliseconds / 1_000)
  return seconds < 90 ? `${String(seconds)} s` : `${String(Math.ceil(seconds / 60))} min`
}

/** For callers that show nothing. */
export const silent = new Progress({ write: () => undefined })
