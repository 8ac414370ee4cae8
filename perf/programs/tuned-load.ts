/** The load that `tune` makes: frames to a peer that echoes, each of whose answers is checked. Ends with its runner. */
import process from 'node:process'
import { createEngine, type Connection } from '../../api/index.js'
import { Distribution } from '../harness/distribution.js'
import { monotonicMs } from '../harness/monotonic.js'
import { cpuMsSoFar, writeNumber, type TunedConfig, type TunedOrder, type TunedResult } from '../harness/tuning.js'
import { MOST_FRAME_BYTES } from './engine-stack.js'
import { OpenLoop } from './open-loop.js'
import { Pacer } from './pacer.js'

/** For the first answer, and for the last ones. */
const PATIENCE_MS = 10_000

const config = JSON.parse(process.argv[2] ?? '{}') as TunedConfig
const { bytes } = config
const engine = await createEngine(config.options)
let pacer: Pacer | undefined
process.once('disconnect', () => {
  void Promise.all([engine.close(), pacer?.close()]).then(([{ leaked }]) => {
    process.exitCode = leaked === 0 ? 0 : 3
  })
})

/** One connection, whose answers come in the order of its frames. */
class Line {
  readonly #connection: Connection
  readonly #frame = Buffer.alloc(bytes, 'x')
  readonly #expected = Buffer.alloc(bytes, 'x')
  onAnswer: (isRight: boolean) => void = () => undefined
  #answered = 0
  #numbers: number[] = []

  constructor(connection: Connection) {
    this.#connection = connection
    connection.subscribe(
      (frame) => {
        const number = this.#numbers[this.#answered++] ?? 0
        // Those that are over are forgotten now and then.
        if (this.#answered === 1_024) {
          this.#numbers = this.#numbers.slice(this.#answered)
          this.#answered = 0
        }
        writeNumber(this.#expected, number)
        this.onAnswer(this.#expected.equals(frame))
      },
      { borrow: true },
    )
  }

  send(number: number): void {
    writeNumber(this.#frame, number)
    this.#numbers.push(number)
    this.#connection.send(this.#frame)
  }
}

const transport = engine.transport(config.endpoint, { framing: config.framing, maxFrameBytes: MOST_FRAME_BYTES })
const lines: Line[] = []
let fail: (error: Error) => void = () => undefined

async function dial(): Promise<void> {
  for (let i = 0; i < config.connections; i++) {
    const connection = await transport.connect()
    void connection.closed.then(({ code }) => {
      fail(new Error(`the peer has ended a connection (${code})`))
    })
    const line = new Line(connection)
    lines.push(line)
    await within(
      'a peer that echoes answers each frame with the same frame: no answer came',
      new Promise<void>((resolve, reject) => {
        fail = reject
        line.onAnswer = (isRight) => {
          if (isRight) resolve()
          else reject(new Error('a peer that echoes answers each frame with the same frame: another one came'))
        }
        line.send(i)
      }),
    )
  }
}

async function within<T>(otherwise: string, promise: Promise<T>, ms = PATIENCE_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  try {
    return await Promise.race([
      promise,
      new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(otherwise)), ms)
      }),
    ])
  } finally {
    clearTimeout(timer)
  }
}

/**
 * Each connection has so many frames under way, until the time is over; then all are waited for.
 * @returns 0: all CPU is ours
 */
function closedLoop({ seconds, depth }: TunedOrder, micros: number[], onWrong: () => void): Promise<number> {
  const deadline = performance.now() + seconds * 1_000
  let open = 0
  return new Promise((resolve, reject) => {
    fail = reject
    for (const line of lines) {
      const sentAt = new Float64Array(depth)
      let [sent, answered] = [0, 0]
      const send = (): void => {
        sentAt[sent % depth] = performance.now()
        line.send(sent++)
        open++
      }
      line.onAnswer = (isRight) => {
        const now = performance.now()
        micros.push((now - (sentAt[answered++ % depth] ?? 0)) * 1_000)
        open--
        if (!isRight) onWrong()
        if (now < deadline) send()
        else if (open === 0) resolve(0)
      }
      for (let i = 0; i < depth; i++) send()
    }
  })
}

/** At fixed times, each measured from when it was due. @returns CPU of what only keeps the times */
async function openLoop(seconds: number, rateHz: number, micros: number[], onWrong: () => void): Promise<number> {
  pacer ??= new Pacer()
  const count = Math.max(1, Math.round(seconds * rateHz))
  const loop = new OpenLoop({ count, rateHz, connections: lines.length }, monotonicMs, (number, connection) => {
    lines[connection]?.send(number)
  })
  const over = new Promise<void>((resolve, reject) => {
    fail = reject
    for (const [connection, line] of lines.entries()) {
      line.onAnswer = (isRight) => {
        loop.answered(connection)
        if (!isRight) onWrong()
        if (loop.isOver) resolve()
      }
    }
  })
  const { due, answered } = loop.times
  const sendDue = (): void => {
    loop.sendDue()
  }
  const pacing = pacer.pace({ startsAt: due[0] ?? 0, intervalMs: 1_000 / rateHz, count }, sendDue)
  const [{ cpuMs }] = await Promise.all([
    pacing.then((report) => {
      sendDue()
      return report
    }),
    over,
  ])
  for (const [number, at] of due.entries()) micros.push(((answered[number] ?? 0) - at) * 1_000)
  return cpuMs ?? 0
}

async function measure(order: TunedOrder): Promise<TunedResult> {
  const { seconds, rateHz } = order
  const micros: number[] = []
  let wrong = 0
  const onWrong = (): void => {
    wrong++
  }
  const cpuBefore = cpuMsSoFar()
  const startedAt = performance.now()
  const under = rateHz === undefined ? closedLoop(order, micros, onWrong) : openLoop(seconds, rateHz, micros, onWrong)
  const notOurs = await within('the peer has stopped answering', under, seconds * 1_000 + PATIENCE_MS)
  return {
    kind: 'measured',
    seconds: (performance.now() - startedAt) / 1_000,
    count: micros.length,
    wrong,
    distribution: Distribution.ofMicros(micros).encoded,
    cpuMs: cpuMsSoFar() - cpuBefore - notOurs,
  }
}

const say = (message: object): void => void process.send?.(message)
const sayFailed = (error: unknown): void => {
  say({ kind: 'failed', message: error instanceof Error ? error.message : String(error) })
}
process.on('message', (order: TunedOrder) => {
  measure(order).then(say, sayFailed)
})
dial().then(() => say({ kind: 'ready' }), sayFailed)
