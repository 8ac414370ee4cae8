/** Failures of the host's functions: reported once for each place, never in masses, and never lost. */
import test from 'ava'
import { TransportError } from '../../../engine/protocol/errors.js'
import {
  attempt,
  HandlerFailures,
  type HandlerErrorContext,
  type OnError,
} from '../../../engine/common/handler-failures.js'
import { FakeClock } from '../../helpers/fake-clock.js'
import { turns } from '../../helpers/turns.js'
import { WarningBook, type Warning } from '../../helpers/warnings.js'

const WATCHDOG_MS = 10_000
const context: HandlerErrorContext = { where: 'subscriber', endpoint: 'memory:x', connection: '1-2' }

function failure(cause: unknown): TransportError {
  return new TransportError('ERR_HANDLER', 'a subscriber failed, so its connection was destroyed.', { cause })
}

/** An error that looks as if it was thrown at this place. */
function thrownAt(place: string, message = 'cannot digest'): Error {
  const error = new Error(message)
  error.stack = `Error: ${message}\n    at parse (lib.js:1:1)\n    at ${place} (host.js:${place})`
  return error
}

async function warningsOf(body: (failures: HandlerFailures, clock: FakeClock) => unknown, onError?: OnError) {
  const book = new WarningBook()
  try {
    const clock = new FakeClock()
    await body(new HandlerFailures(clock, onError), clock)
    return await book.rest()
  } finally {
    book.close()
  }
}

const messages = (warnings: readonly Warning[]): string[] => warnings.map(({ message }) => message)

test.serial('a failure is a warning that names the endpoint, what was done, and where it was thrown', async (t) => {
  t.timeout(WATCHDOG_MS)
  const cause = thrownAt('a')
  const [warning, ...others] = await warningsOf((failures) => {
    failures.report(failure(cause), context)
  })
  t.is(others.length, 0)
  t.deepEqual(
    [warning?.name, warning?.code, warning?.detail],
    ['TransportWarning', 'SYMPHONY_HANDLER_FAILED', cause.stack],
  )
  t.is(warning?.message, 'memory:x (1-2): a subscriber failed, so its connection was destroyed. Error: cannot digest')
})

test.serial('a place is reported once a minute, with how often it failed meanwhile', async (t) => {
  t.timeout(WATCHDOG_MS)
  const warnings = await warningsOf((failures, clock) => {
    for (let i = 0; i < 5; i++) failures.report(failure(thrownAt('a', String(i))), context)
    failures.report(failure(thrownAt('b')), context)
    clock.advance(60_000)
    failures.report(failure(thrownAt('a', 'again')), context)
  })
  t.is(warnings.length, 3)
  t.regex(warnings[0]?.message ?? '', /Error: 0$/)
  t.regex(warnings[1]?.message ?? '', /Error: cannot digest \(4 more failures/)
  t.regex(warnings[2]?.message ?? '', /Error: again$/)
})

test.serial('ten places are reported in a minute, and the others are counted', async (t) => {
  t.timeout(WATCHDOG_MS)
  const warnings = await warningsOf((failures) => {
    for (let i = 0; i < 1_000; i++) failures.report(failure(thrownAt(String(i))), context)
    failures.flush()
    failures.flush()
  })
  t.is(warnings.length, 11)
  t.regex(warnings[10]?.message ?? '', /990 more failures/)
})

test.serial('any thrown value can be reported', async (t) => {
  t.timeout(WATCHDOG_MS)
  const stackless = new Error('no stack')
  delete stackless.stack
  for (const [thrown, shown] of [
    ['a word', 'a word'],
    [undefined, 'undefined'],
    [Object.create(null), 'a value that cannot be shown'],
    [Symbol('s'), 'Symbol(s)'],
    [stackless, 'no stack'],
  ]) {
    const [warning] = await warningsOf((failures) => {
      failures.report(failure(thrown), context)
    })
    t.true(warning?.message.endsWith(`destroyed. ${String(shown)}`), warning?.message)
  }
})

test.serial('onError takes the place of warnings, each time', async (t) => {
  t.timeout(WATCHDOG_MS)
  const told: unknown[] = []
  const error = failure(thrownAt('a'))
  const warnings = await warningsOf(
    (failures) => {
      failures.report(error, context)
      failures.report(error, context)
      failures.with(undefined).report(error, context)
      failures.with((...all) => told.push(['own', ...all])).report(error, context)
    },
    (...all) => told.push(all),
  )
  t.deepEqual(messages(warnings), [])
  const [once, own] = [
    [error, context],
    ['own', error, context],
  ]
  t.deepEqual(told, [once, once, once, own])
})

for (const [how, onError] of [
  [
    'throws',
    (): never => {
      throw new Error('no log')
    },
  ],
  ['rejects', () => Promise.reject(new Error('no log'))],
] as const) {
  test.serial(`if onError ${how}, both failures are reported, and it is not called again for them`, async (t) => {
    t.timeout(WATCHDOG_MS)
    let calls = 0
    const warnings = await warningsOf(
      async (failures) => {
        failures.report(failure(thrownAt('a')), context)
        await turns()
      },
      () => {
        calls++
        return onError()
      },
    )
    t.is(calls, 1)
    t.is(warnings.length, 2)
    t.regex(warnings[0]?.message ?? '', /a subscriber failed.*cannot digest/)
    t.regex(warnings[1]?.message ?? '', /onError failed.*no log/)
  })
}

test('however a function fails, its failure is reported once', async (t) => {
  t.timeout(WATCHDOG_MS)
  const cause = new Error('cannot digest')
  const ways: (() => unknown)[] = [
    () => {
      throw cause
    },
    () => Promise.reject(cause),
    () => ({
      then: (_done: unknown, fail: (error: Error) => void) => {
        fail(cause)
      },
    }),
    () => ({
      then: () => {
        throw cause
      },
    }),
  ]
  for (const way of ways) {
    const heard: unknown[] = []
    attempt(way, (error) => heard.push(error))
    await turns()
    t.deepEqual(heard, [cause])
  }
})
