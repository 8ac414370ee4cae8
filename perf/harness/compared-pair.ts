/** Both sides of one compared peer, and the figures of one measurement of them. */
import { spawn, type ChildProcess } from 'node:child_process'
import net from 'node:net'
import { fileURLToPath } from 'node:url'
import type { ComparedConfig, Purpose } from './compared-messages.js'
import { ComparedSide } from './compared-side.js'
import { Distribution } from './distribution.js'
import { readCpu, type CpuReading } from './cpu.js'
import { meetingPlace } from './meeting-place.js'
import type { ResidentMemory } from './resident-memory.js'

/** How a peer is started. */
export interface ComparedStart {
  readonly name: string
  /** The peer's file, as a URL. */
  readonly module: string
  readonly variant?: string
  /** The near side starts the far side, as a child or as a thread. */
  readonly startsFar?: boolean
}

export interface PairSettings {
  readonly folder: string
  readonly purpose: Purpose
  /** The Node that runs it. */
  readonly execPath: string
  readonly execArgv: readonly string[]
  readonly pinTo: string | undefined
  /** How long a measurement may take, milliseconds. */
  readonly patienceMs: number
}

/** CPU nanoseconds a message of the threads that run JavaScript, and of everything. */
interface CpuEach {
  readonly nearNanos: number | undefined
  readonly farNanos: number | undefined
  readonly allNanos: number | undefined
}

export interface AskSample extends CpuEach {
  readonly seconds: number
  readonly distribution: Distribution
  readonly isRight: boolean
}

export interface PourSample extends CpuEach {
  readonly seconds: number
  readonly isRight: boolean
}

const program = fileURLToPath(new URL('../programs/compared.js', import.meta.url))

const START_MS = 60_000
const MOST_STOP_MS = 20_000

let pairs = 0

export class ComparedPair {
  readonly name: string
  /** Why its connections are not over shared memory, if they should be. */
  fallback: string | undefined
  readonly #startsFar: boolean
  readonly #patienceMs: number
  readonly #server = net.createServer()
  readonly #processes: ChildProcess[] = []
  readonly #sides = new Map<'near' | 'far', ComparedSide>()
  #wake: () => void = () => undefined

  private constructor({ name, startsFar = false }: ComparedStart, patienceMs: number) {
    this.name = name
    this.#startsFar = startsFar
    this.#patienceMs = patienceMs
  }

  /** With one connection. @throws if a side fails */
  static async start(start: ComparedStart, settings: PairSettings): Promise<ComparedPair> {
    const pair = new ComparedPair(start, settings.patienceMs)
    try {
      await pair.#begin(start, settings)
      return pair
    } catch (error) {
      await pair.kill()
      throw error
    }
  }

  async #begin({ module, variant, name }: ComparedStart, settings: PairSettings): Promise<void> {
    const { folder, purpose } = settings
    const number = String(pairs++)
    const control = meetingPlace(folder, `control-${number}`)
    this.#server.on('connection', (socket) => {
      ComparedSide.meet(socket, (side) => {
        this.#sides.set(side.here.role, side)
        this.#wake()
      })
    })
    await new Promise<void>((resolve) => this.#server.listen(control, resolve))
    // What must not keep the runner alive.
    this.#server.unref()
    const path = meetingPlace(folder, `${number}-${name}`)
    const config = { purpose, control, path, module, variant }
    if (!this.#startsFar) await this.#spawn({ ...config, role: 'far' }, settings)
    const near = await this.#spawn({ ...config, role: 'near' }, settings)
    near.order({ kind: 'connect', count: 1 })
    if (this.#startsFar) await this.#met('far')
    this.fallback = (await near.next('connected', START_MS)).fallback
  }

  async #spawn(config: ComparedConfig, { execPath, execArgv, pinTo }: PairSettings): Promise<ComparedSide> {
    const args = [...execArgv, program, JSON.stringify(config)]
    const [command, ...rest] = pinTo === undefined ? [execPath, ...args] : ['taskset', '-c', pinTo, execPath, ...args]
    const child = spawn(command, rest, { stdio: ['ignore', 'inherit', 'inherit'] })
    this.#processes.push(child)
    const end = (): void => {
      this.#wake()
    }
    child.once('exit', end)
    child.once('error', end)
    return this.#met(config.role, child)
  }

  /** Once it is there and ready. */
  async #met(role: 'near' | 'far', child?: ChildProcess): Promise<ComparedSide> {
    const late = new AbortController()
    const timer = setTimeout(() => {
      late.abort()
      this.#wake()
    }, START_MS)
    try {
      for (;;) {
        const side = this.#sides.get(role)
        if (side !== undefined) {
          await side.next('ready', START_MS)
          return side
        }
        const isGone = child !== undefined && (child.exitCode !== null || child.pid === undefined)
        if (isGone || late.signal.aborted) throw new Error(`its ${role} side did not start`)
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
    } finally {
      clearTimeout(timer)
    }
  }

  async connect(count: number): Promise<void> {
    this.#near.order({ kind: 'connect', count })
    await this.#near.next('connected', this.#patienceMs)
  }

  async ask(bytes: number, count: number): Promise<AskSample> {
    const before = this.#readCpu()
    this.#near.order({ kind: 'ask', bytes, count })
    const asked = await this.#near.next('asked', this.#patienceMs)
    const { seconds } = asked
    const isRight = asked.count === count && asked.wrong === 0
    const distribution = Distribution.decoded(asked.distribution)
    return { seconds, distribution, ...this.#cpuSince(before, count), isRight }
  }

  async pour(bytes: number, count: number): Promise<PourSample> {
    this.#far.order({ kind: 'take', bytes, count })
    await this.#far.next('armed', this.#patienceMs)
    const before = this.#readCpu()
    this.#near.order({ kind: 'pour', bytes, count })
    const [poured, taken] = await Promise.all([
      this.#near.next('poured', this.#patienceMs),
      this.#far.next('taken', this.#patienceMs),
    ])
    const seconds = Number(BigInt(taken.endedNs) - BigInt(poured.startedNs)) / 1e9
    const isRight = taken.messages === count && taken.wrong === 0
    return { seconds, ...this.#cpuSince(before, count), isRight }
  }

  /** Of both sides; one process counts once. */
  async memory(): Promise<readonly ResidentMemory[]> {
    const memories: ResidentMemory[] = []
    for (const side of this.#processesOfSides()) {
      side.order({ kind: 'memory' })
      memories.push(await side.next('memory', this.#patienceMs))
    }
    return memories
  }

  /** True: both sides released everything they had opened. */
  async stop(): Promise<boolean> {
    // Who has started the other waits for its end.
    const sides = this.#startsFar ? [this.#far, this.#near] : [this.#near, this.#far]
    let released = true
    try {
      for (const side of sides) {
        side.order({ kind: 'stop' })
        if (!(await side.next('stopped', MOST_STOP_MS)).released) released = false
      }
    } catch {
      released = false
    }
    const ended = await this.#ended()
    await this.kill()
    return released && ended
  }

  /** At once. */
  async kill(): Promise<void> {
    for (const child of this.#processes) if (isRunning(child)) child.kill('SIGKILL')
    // What a side has started ends with the socket to the runner.
    for (const side of this.#sides.values()) side.leave()
    this.#server.close()
    await Promise.all(this.#processes.filter(isRunning).map((child) => new Promise((r) => child.once('exit', r))))
  }

  /** Whether the programs end by themselves. */
  async #ended(): Promise<boolean> {
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      for (const child of this.#processes) child.kill('SIGKILL')
    }, MOST_STOP_MS)
    await Promise.all(this.#processes.filter(isRunning).map((child) => new Promise((r) => child.once('exit', r))))
    clearTimeout(timer)
    return !isLate
  }

  get #near(): ComparedSide {
    return this.#side('near')
  }

  get #far(): ComparedSide {
    return this.#side('far')
  }

  #side(role: 'near' | 'far'): ComparedSide {
    const side = this.#sides.get(role)
    if (side === undefined) throw new Error(`there is no ${role} side`)
    return side
  }

  #processesOfSides(): readonly ComparedSide[] {
    const near = this.#near
    const far = this.#far
    return near.here.pid === far.here.pid ? [near] : [near, far]
  }

  #readCpu(): ReadonlyMap<number, CpuReading | undefined> {
    return new Map(this.#processesOfSides().map(({ here: { pid } }) => [pid, readCpu(pid)]))
  }

  #cpuSince(before: ReadonlyMap<number, CpuReading | undefined>, count: number): CpuEach {
    const after = this.#readCpu()
    const of = ({ here: { pid, tid } }: ComparedSide): number | undefined => {
      const from = before.get(pid)?.byThread.get(tid)
      const to = after.get(pid)?.byThread.get(tid)
      return from === undefined || to === undefined ? undefined : (to - from) / count
    }
    let all: number | undefined = 0
    for (const [pid, reading] of after) {
      const earlier = before.get(pid)
      if (reading === undefined || earlier === undefined) all = undefined
      if (all === undefined || reading === undefined || earlier === undefined) break
      for (const [tid, nanos] of reading.byThread) all += nanos - (earlier.byThread.get(tid) ?? 0)
    }
    return {
      nearNanos: of(this.#near),
      farNanos: of(this.#far),
      allNanos: all === undefined ? undefined : all / count,
    }
  }
}

function isRunning({ exitCode, signalCode, pid }: ChildProcess): boolean {
  return pid !== undefined && exitCode === null && signalCode === null
}
