/** One side of a compared peer: near, which asks or pours, or far, which answers or takes. A process, or a thread. */
import fs from 'node:fs'
import net from 'node:net'
import { basename } from 'node:path'
import process from 'node:process'
import { isMainThread, workerData } from 'node:worker_threads'
import { fileURLToPath } from 'node:url'
import type { ComparedConfig, ComparedOrder, FromCompared } from '../harness/compared-messages.js'
import { readLines, writeLine } from '../harness/json-lines.js'
import { stamp, STAMP_BASE, STAMPS } from '../harness/messages.js'
import { residentMemory } from '../harness/resident-memory.js'
import type { ComparedClient, ComparedPeer, Payload } from './peers/compared-stack.js'

/** Of the request that opens a connection. */
const FIRST_BYTES = 64

const argument = isMainThread ? (process.argv[2] ?? '{}') : (workerData as string)
const config = JSON.parse(argument) as ComparedConfig
const control = net.connect(config.control)

function say(message: FromCompared): void {
  writeLine(control, message)
}

function fail(error: unknown): void {
  say({ kind: 'failed', message: error instanceof Error ? error.message : String(error) })
}

process.on('uncaughtException', fail)
process.on('unhandledRejection', fail)
control.on('error', () => undefined)
/** The runner is gone, or has all it wants. */
let isOver = false
control.on('close', () => {
  if (!isOver) process.exit(1)
})

function threadId(): number {
  try {
    return Number(basename(fs.readlinkSync('/proc/thread-self')))
  } catch {
    return process.pid
  }
}

say({ kind: 'here', role: config.role, pid: process.pid, tid: threadId() })

const { default: peer } = (await import(config.module)) as { default: ComparedPeer }
const stack = await peer({
  path: config.path,
  purpose: config.purpose,
  variant: config.variant,
  far: { program: fileURLToPath(import.meta.url), argument: JSON.stringify({ ...config, role: 'far' }) },
})

/** Each in memory of its own: a clone would take all that lies in the same. */
function messagesOf(bytes: number): readonly Payload[] {
  return Array.from({ length: STAMPS }, (_, mark) => {
    const message = Buffer.alloc(bytes, STAMP_BASE)
    message[0] = STAMP_BASE + mark
    return stack.payload === 'bytes' ? message : message.toString('latin1')
  })
}

function at(message: Payload, index: number): number {
  return (typeof message === 'string' ? message.charCodeAt(index) : (message[index] ?? 0)) - STAMP_BASE
}

function isMessage(message: Payload, mark: number, bytes: number): boolean {
  if (message.length !== bytes || at(message, 0) !== mark) return false
  return bytes === 1 || at(message, bytes - 1) === 0
}

const clients: ComparedClient[] = []
const taken = { wanted: 0, bytes: 0, messages: 0, wrong: 0 }

function take(message: Payload): void {
  if (!isMessage(message, stamp(taken.messages), taken.bytes)) taken.wrong++
  if (++taken.messages !== taken.wanted) return
  const { messages, wrong } = taken
  say({ kind: 'taken', endedNs: process.hrtime.bigint().toString(), messages, wrong })
}

async function connect(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const client = await stack.connect()
    clients.push(client)
    if (config.purpose === 'pour') continue
    // Who is answered was accepted: so the backlog never fills.
    client.prepare(messagesOf(FIRST_BYTES))
    const answer = await new Promise<Payload>((resolve) => {
      client.ask(0, resolve)
    })
    if (!isMessage(answer, 0, FIRST_BYTES)) throw new Error('the first answer is wrong')
  }
  say({ kind: 'connected', fallback: stack.fallback?.() })
}

async function ask(bytes: number, count: number): Promise<void> {
  const messages = messagesOf(bytes)
  for (const client of clients) client.prepare(messages)
  const micros = new Float64Array(count)
  let next = 0
  let back = 0
  let wrong = 0
  const startedAt = performance.now()
  await new Promise<void>((resolve) => {
    const askNext = (client: ComparedClient): void => {
      if (next === count) return
      const number = next++
      const sentAt = performance.now()
      client.ask(stamp(number), (answer) => {
        micros[number] = (performance.now() - sentAt) * 1000
        if (!isMessage(answer, stamp(number), bytes)) wrong++
        if (++back === count) resolve()
        else askNext(client)
      })
    }
    for (const client of clients) askNext(client)
  })
  const seconds = (performance.now() - startedAt) / 1000
  // Only who asks needs it, and it takes a while to load.
  const { Distribution } = await import('../harness/distribution.js')
  say({ kind: 'asked', seconds, count: back, wrong, distribution: Distribution.ofMicros(micros).encoded })
}

async function pour(bytes: number, count: number): Promise<void> {
  const [client] = clients
  if (client === undefined) throw new Error('no connection')
  client.prepare(messagesOf(bytes))
  const startedNs = process.hrtime.bigint().toString()
  await client.pour(count)
  say({ kind: 'poured', startedNs })
}

async function memory(): Promise<void> {
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  say({ kind: 'memory', ...residentMemory() })
}

async function stop(): Promise<void> {
  isOver = true
  const released = await stack.close()
  say({ kind: 'stopped', released })
  control.end()
}

async function carryOut(order: ComparedOrder): Promise<void> {
  switch (order.kind) {
    case 'connect':
      return connect(order.count)
    case 'ask':
      return ask(order.bytes, order.count)
    case 'pour':
      return pour(order.bytes, order.count)
    case 'take':
      Object.assign(taken, { wanted: order.count, bytes: order.bytes, messages: 0, wrong: 0 })
      say({ kind: 'armed' })
      return
    case 'memory':
      return memory()
    case 'stop':
      return stop()
  }
}

if (config.role === 'far') await (config.purpose === 'ask' ? stack.answer() : stack.take(take))
readLines(control, (order) => {
  carryOut(order as ComparedOrder).catch(fail)
})
say({ kind: 'ready' })
