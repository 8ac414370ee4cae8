import { inspect } from 'node:util'
import vm from 'node:vm'
import test from 'ava'
import { TransportError } from '../../../engine/protocol/errors.js'
import { callPair } from '../../helpers/call-pair.js'

/** What a call rejects with, whose function throws this. */
async function thrown(value: unknown): Promise<unknown> {
  const pair = callPair({
    fail: () => {
      throw value
    },
  })
  try {
    await pair.proxy.fail()
    return 'nothing'
  } catch (error) {
    return error
  } finally {
    pair.end()
  }
}

/** As above, of an error. */
async function arrived(value: unknown): Promise<Error & { readonly code?: unknown }> {
  const error = await thrown(value)
  if (!(error instanceof Error)) throw new Error(`it arrived as ${inspect(error)}`)
  return error
}

test('an error arrives with its name, message, code and cause', async (t) => {
  const cause = Object.assign(new RangeError('deeper', { cause: { id: 7 } }), { code: 34 })
  const error = await arrived(Object.assign(new Error('no such id', { cause }), { code: 'E_LOOKUP', secret: 'x' }))
  t.is(Object.getPrototypeOf(error), Error.prototype)
  t.like(error, { name: 'Error', message: 'no such id', code: 'E_LOOKUP' })
  t.false('secret' in error)
  t.true(error.cause instanceof RangeError)
  t.like(error.cause, { message: 'deeper', code: 34, cause: { id: 7 } })
  t.false(Object.keys(error).includes('name'))
})

for (const Type of [EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError]) {
  test(`a ${Type.name} arrives as one`, async (t) => {
    const error = await arrived(new Type('x'))
    t.is(Object.getPrototypeOf(error), Type.prototype)
    t.deepEqual([error.name, error.message, 'code' in error, 'cause' in error], [Type.name, 'x', false, false])
  })
}

test('an error of a class that is not there arrives as what it extends, with its name', async (t) => {
  class LookupError extends TypeError {
    override readonly name = 'LookupError'
  }
  const error = await arrived(new LookupError('x'))
  t.is(Object.getPrototypeOf(error), TypeError.prototype)
  t.is(error.name, 'LookupError')
  const aborted = await arrived(AbortSignal.abort().reason)
  t.like(aborted, { name: 'AbortError', code: 20 })
  const foreign = await arrived(vm.runInNewContext('new TypeError("of another realm")'))
  t.like(foreign, { name: 'TypeError', message: 'of another realm' })
})

test('a TransportError stays one, with code, endpoint and cause', async (t) => {
  const cause = Object.assign(new Error('ECONNREFUSED'), { code: 'ECONNREFUSED' })
  const error = await arrived(new TransportError('ERR_REFUSED', 'nobody', { endpoint: 'local:db', cause }))
  t.true(error instanceof TransportError)
  t.like(error, { code: 'ERR_REFUSED', endpoint: 'local:db', retryable: true, message: 'nobody' })
  t.like(error.cause, { code: 'ECONNREFUSED' })
  const unknown = Object.assign(new TransportError('ERR_IO', 'x'), { code: 'ERR_OF_TOMORROW' })
  t.like(await arrived(unknown), { name: 'TransportError', code: 'ERR_OF_TOMORROW' })
})

test('an AggregateError arrives with its errors', async (t) => {
  const error = await arrived(new AggregateError([new TypeError('one'), 'two', () => 3], 'all', { cause: 'why' }))
  t.true(error instanceof AggregateError)
  const { errors, message, cause } = error as AggregateError
  t.deepEqual([message, cause, errors.length], ['all', 'why', 2])
  t.true(errors[0] instanceof TypeError)
  t.is(errors[1], 'two')
})

test('what is thrown and is no error arrives as the cause of one', async (t) => {
  for (const value of ['text', 0, null, { status: 404 }, [1]]) {
    const error = await arrived(value)
    t.is(error.message, 'context.host: fail() threw what is not an error.')
    t.deepEqual(error.cause, value)
  }
  t.is((await arrived(undefined)).cause, undefined)
  const lost = await arrived(() => 'x')
  t.is(lost.message, 'context.host: fail() threw what cannot be copied to another thread.')
  t.is(lost.cause, undefined)
})

test('a cause that cannot be copied is left out, and so are causes without end', async (t) => {
  t.is((await arrived(new Error('x', { cause: () => 1 }))).cause, undefined)
  const circular = new Error('round')
  circular.cause = circular
  let depth = 0
  for (let error: unknown = await arrived(circular); error instanceof Error; error = error.cause) depth++
  t.is(depth, 9)
  const wide = (level: number): Error =>
    new AggregateError(
      Array.from({ length: 100 }, () => (level === 0 ? new Error('leaf') : shared[level - 1])),
      'wide',
    )
  const shared: Error[] = []
  for (let level = 0; level < 5; level++) shared.push(wide(level))
  const count = (error: unknown): number =>
    1 + (error instanceof AggregateError ? error.errors.reduce((sum: number, inner) => sum + count(inner), 0) : 0)
  t.is(count(await arrived(shared[4])), 64)
})

test('an error whose properties cannot be read arrives with the rest of them', async (t) => {
  const hostile = new Error('readable')
  for (const key of ['code', 'cause', 'stack', 'name'])
    Object.defineProperty(hostile, key, {
      get: () => {
        throw new Error('trap')
      },
    })
  const error = await arrived(hostile)
  t.deepEqual([error.name, error.message, error.cause], ['Error', 'readable', undefined])
  t.regex(error.stack ?? '', /^Error: readable\n/)
  const odd = Object.assign(new Error('x'), { code: { not: 'a code' }, name: 5 })
  const other = await arrived(odd)
  t.deepEqual([other.name, 'code' in other], ['Error', false])
  const { proxy, revoke } = Proxy.revocable(new Error('x'), {})
  revoke()
  t.regex((await arrived(proxy)).message, /cannot be copied/)
})

test('the stack tells where it was thrown and, below, who waits for the call', async (t) => {
  const pair = callPair({
    lookup: function thrower() {
      throw new Error('no such id')
    },
  })
  const middle = async (): Promise<void> => {
    await pair.proxy.lookup()
  }
  async function waiter(): Promise<void> {
    await middle()
  }
  try {
    const { stack = '' } = await t.throwsAsync(waiter())
    const [there = '', here = ''] = stack.split('\n    -- called from another thread --\n')
    t.regex(there, /^Error: no such id\n\s+at .*thrower/)
    t.regex(here, /^\s+at async middle .*\n\s+at async waiter /)
    t.notRegex(here, /caller\.|calls-over\./)
  } finally {
    pair.end()
  }
})

test('an error that nobody waits for in a function has the stack of the other thread alone', async (t) => {
  const { stack = '' } = await new Promise<Error>((resolve) => {
    const pair = callPair({
      fail: () => {
        throw new Error('x')
      },
    })
    pair.proxy.fail().then(undefined, (error: unknown) => {
      pair.end()
      if (error instanceof Error) resolve(error)
    })
  })
  t.regex(stack, /^Error: x\n/)
  t.notRegex(stack, /called from/)
})
