/**
 * Connections that come, echo one frame, and go, both ends in this process. Its one argument is a `ChurnPlan`; it
 * prints a `ChurnReport` with the memory used.
 */
import { endByItself } from '../harness/runner-end.js'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import fs from 'node:fs'
import net from 'node:net'
import process from 'node:process'
import { createEngine, TransportError, type Connection, type Engine } from '../../api/index.js'
import { faultyOptions, strikeSoon } from '../chaos/strikes.js'
import type { ChurnPlan, ChurnReport } from '../harness/churn-plan.js'

const MIB = 1_048_576
const plan = JSON.parse(process.argv[2] ?? '') as ChurnPlan
const frame = Buffer.alloc(plan.bytes, 'x')

/** Shared memory that this thread has made. */
let madeBytes = 0
globalThis.SharedArrayBuffer = new Proxy(SharedArrayBuffer, {
  construct(target, [bytes]: [number]) {
    madeBytes += bytes
    return new target(bytes)
  },
})

let served = 0
let lost = 0
let kills = 0
const residentMiB: number[] = []

function onServed(): void {
  served++
  if (served % Math.ceil(plan.connections / 3) === 0) residentMiB.push(process.memoryUsage.rss() / MIB)
}

/** `one` makes one connection and closes it. */
async function churn(one: (index: number) => Promise<void>): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < plan.connections) await one(next++)
  }
  await Promise.all(Array.from({ length: plan.concurrency }, worker))
  residentMiB.push(process.memoryUsage.rss() / MIB)
}

async function overEngine(): Promise<Partial<ChurnReport>> {
  const engine = await createEngine({ shards: plan.shards, ...(plan.kills > 0 ? faultyOptions('exit') : {}) })
  const transport = engine.transport(plan.endpoint, { framing: plan.framing, connectTimeoutMs: 60_000 })
  const listener = await transport.listen((connection) => {
    connection.subscribe((bytes) => (connection.send(bytes) ? undefined : connection.ready().catch(() => undefined)), {
      borrow: true,
    })
  })
  let mostRingBytes = 0
  const killEvery = plan.kills === 0 ? Infinity : Math.ceil(plan.connections / plan.kills)
  await churn(async (index) => {
    const connection = await transport.connect()
    try {
      if (index % killEvery === killEvery - 1) await killFirstShard(engine)
      connection.send(frame)
      await receive(connection)
      onServed()
    } catch (error) {
      if (!(error instanceof TransportError) || plan.kills === 0) throw error
      lost++
    }
    await connection.close()
    mostRingBytes = Math.max(mostRingBytes, ringBytes(engine))
  })
  await listener.close()
  const { leaked } = await engine.close()
  return { ringMiB: mostRingBytes / MIB, leaked }
}

/** Resolves once it is dead; at once if it is not up. */
async function killFirstShard(engine: Engine): Promise<void> {
  if (engine.stats().shards[0]?.state !== 'up') return
  await new Promise<void>((resolve) => {
    const onLost = (): void => {
      unsubscribe('symphony-transport:shard.lost', onLost)
      kills++
      resolve()
    }
    subscribe('symphony-transport:shard.lost', onLost)
    strikeSoon(engine, 0, 'exit')
  })
}

function ringBytes(engine: Engine): number {
  const { shards, spareRingMemoryBytes } = engine.stats()
  return shards.reduce((sum, shard) => sum + shard.ringMemoryBytes, spareRingMemoryBytes)
}

/** As many bytes as a frame has; `raw` has no frames. */
async function receive(connection: Connection): Promise<void> {
  let bytes = 0
  while (bytes < plan.bytes) {
    const part = await connection.receive()
    if (part === undefined) throw new Error('the stream ended')
    if (part[0] !== frame[0] || part[part.length - 1] !== frame[0]) throw new Error('a frame came back wrong')
    bytes += part.length
    if (plan.framing !== 'raw') break
  }
  if (bytes !== plan.bytes) throw new Error(`${String(bytes)} bytes came back`)
}

async function overNet(): Promise<Partial<ChurnReport>> {
  const path = plan.endpoint.replace(/^unix:/, '')
  const server = net.createServer((socket) => socket.pipe(socket))
  await new Promise<void>((resolve) => server.listen(path, resolve))
  await churn(async () => {
    const socket = net.connect(path)
    socket.write(frame)
    let bytes = 0
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes === plan.bytes) break
    }
    if (bytes !== plan.bytes) throw new Error(`${String(bytes)} bytes came back`)
    onServed()
  })
  await new Promise((resolve) => server.close(resolve))
  return {}
}

function peakMiB(): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS / 1024
  // Not the value of getrusage(), which a process inherits from its parent.
  const [, kib = '0'] = /VmHWM:\s+(\d+)/.exec(fs.readFileSync('/proc/self/status', 'utf8')) ?? []
  return Number(kib) / 1024
}

const beganAt = performance.now()
const rest = plan.stack === 'engine' ? await overEngine() : await overNet()
const report: ChurnReport = {
  served,
  lost,
  kills,
  residentMiB,
  peakMiB: peakMiB(),
  madeMiB: madeBytes / MIB,
  ringMiB: 0,
  leaked: 0,
  elapsedMs: performance.now() - beganAt,
  ...rest,
}
process.stdout.write(`${JSON.stringify(report)}\n`)
endByItself()
