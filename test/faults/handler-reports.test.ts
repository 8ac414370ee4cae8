/** What a shard tells main of its handler modules, while main does not listen, and of what no other thread can get. */
import test from 'ava'
import { TransportError } from '../../api/index.js'
import type { HandlerReport } from '../../engine/protocol/handling.js'
import { HandlerReports } from '../../workers/handlers/handler-reports.js'
import { turns } from '../helpers/turns.js'

const MANY = 10_000
const MOST_FAILURES = 100
const MOST_LOG_LINES = 1_000
const MOST_ENDED = 1_000

/** Main, which takes up a report when it is told to. */
class Main {
  readonly reports: HandlerReport[] = []
  readonly #taken: (() => void)[] = []

  readonly send = (report: HandlerReport): Promise<void> => {
    // As it goes to another thread.
    this.reports.push(structuredClone(report))
    return new Promise((resolve) => this.#taken.push(resolve))
  }

  async takeUp(): Promise<void> {
    this.#taken.shift()?.()
    await turns()
  }
}

test('what is reported later holds up nobody who waits for what was reported before', async (t) => {
  const main = new Main()
  const reports = new HandlerReports(main.send)
  let flushed = 0
  const onFlushed = (): number => ++flushed
  reports.log.info('first')
  const dueFlushed = reports.flushed().then(onFlushed)
  await turns()
  const sentFlushed = reports.flushed().then(onFlushed)
  reports.log.info('second')
  const behindFlushed = reports.flushed().then(onFlushed)
  await main.takeUp()
  t.is(flushed, 2)
  reports.log.info('third')
  await main.takeUp()
  t.is(flushed, 3)
  await main.takeUp()
  await Promise.all([dueFlushed, sentFlushed, behindFlushed])
  t.is(main.reports.length, 3)
})

test('while main does not listen, what waits for it is bounded, and it learns how much was left out', async (t) => {
  const main = new Main()
  const reports = new HandlerReports(main.send)
  reports.opened('first')
  await turns()
  for (let i = 0; i < MANY; i++) {
    const id = String(i)
    reports.opened(id)
    reports.failed('subscriber', 'a subscriber failed', new Error('again'), id)
    reports.log.info('again')
    reports.closed(id, new TransportError('ERR_HANDLER', 'it failed'))
  }
  await turns()
  t.is(main.reports.length, 1)
  await main.takeUp()
  const [, second] = main.reports
  t.is(second?.failures.length, MOST_FAILURES)
  t.is(second?.logs.length, MOST_LOG_LINES)
  t.is(second?.closed.length, MOST_ENDED)
  // Each that it is told the beginning of it is told the end of, and the other way round.
  t.deepEqual(
    second?.closed.map(({ id }) => id),
    second?.opened,
  )
  t.is(second?.omitted, 2 * MANY - MOST_FAILURES - MOST_LOG_LINES)
  const flushed = reports.flushed()
  await main.takeUp()
  await flushed
  t.is(main.reports.length, 2)
})

test('the end of a connection that main knows of is never left out', async (t) => {
  const main = new Main()
  const reports = new HandlerReports(main.send)
  const known = Array.from({ length: 3 * MOST_ENDED }, (_, i) => String(i))
  for (const id of known) reports.opened(id)
  await turns()
  for (const id of known) reports.closed(id, undefined)
  await main.takeUp()
  t.deepEqual(
    main.reports[1]?.closed.map(({ id }) => id),
    known,
  )
})

test('what was thrown is told up to a bound', async (t) => {
  const main = new Main()
  const reports = new HandlerReports(main.send)
  reports.failed('subscriber', 'a subscriber failed', new Error('x'.repeat(1_000_000)), '1')
  await turns()
  const { message = '', stack = '' } = main.reports[0]?.failures[0]?.thrown ?? {}
  t.regex(message, /^x+…$/)
  t.regex(stack, /^Error: x+…$/)
  t.true(message.length < 20_000 && stack.length < 20_000)
})

test('what no other thread can get takes nothing else of the report with it', async (t) => {
  const main = new Main()
  const reports = new HandlerReports(main.send)
  const odd = new Error('odd')
  const parts = { stack: new WeakMap(), message: () => 'odd', name: Symbol('odd'), code: () => 'odd' }
  for (const [name, value] of Object.entries(parts)) Object.defineProperty(odd, name, { value })
  const hostile = new Proxy(new Error('hostile'), {
    getPrototypeOf: () => {
      throw new Error('no')
    },
  })
  for (const thrown of [odd, hostile, Symbol('thrown'), () => undefined, null, undefined])
    reports.failed('subscriber', 'a subscriber failed', thrown, '1')
  reports.log.error(Symbol('said') as unknown as string, () => undefined)
  reports.log.error(new Error('as a message') as unknown as string, { nested: new WeakMap() })
  reports.closed('1', undefined)
  await turns()
  const [report] = main.reports
  t.is(report?.failures.length, 6)
  const [first = '', second = ''] = report?.logs.map(({ message }) => message) ?? []
  t.is(first, 'a symbol')
  t.regex(second, /^Error: as a message\n\s+at /)
  t.deepEqual(report?.closed, [{ id: '1', error: undefined }])
})
