import test from 'ava'
import { deserializeError, serializeError, TransportError } from '../../../engine/protocol/errors.js'

/** The class as another bundle in the same thread has it. */
async function anotherCopy(): Promise<typeof TransportError> {
  const url = new URL('../../../engine/protocol/errors.js?copy', import.meta.url)
  const copy = (await import(url.href)) as { readonly TransportError: typeof TransportError }
  return copy.TransportError
}

class Narrower extends TransportError {}

test('an error of another copy of the package is a TransportError', async (t) => {
  const Other = await anotherCopy()
  t.not(Other, TransportError)
  t.true(new Other('ERR_IO', 'x') instanceof TransportError)
  t.true(new TransportError('ERR_IO', 'x') instanceof Other)
  t.is(serializeError(new Other('ERR_REFUSED', 'nobody')).code, 'ERR_REFUSED')
})

test('instances of a subclass are its own and those of TransportError, in every copy', async (t) => {
  const Other = await anotherCopy()
  const error = new Narrower('ERR_IO', 'x')
  t.true(error instanceof Narrower)
  t.true(error instanceof TransportError)
  t.true(error instanceof Other)
  t.false(new TransportError('ERR_IO', 'x') instanceof Narrower)
  t.false(new Other('ERR_IO', 'x') instanceof Narrower)
})

test('nothing else is a TransportError', (t) => {
  const lookalike = {
    code: 'ERR_IO',
    message: 'x',
    name: 'TransportError',
    [Symbol.for('symphony-transport.TransportError')]: true,
  }
  for (const value of [undefined, null, 1, 'ERR_IO', {}, lookalike, new Error('x'), TransportError, () => undefined])
    t.false(value instanceof TransportError)
})

test('the brand is not seen in an error', (t) => {
  const error = new TransportError('ERR_IO', 'x')
  t.deepEqual(Object.getOwnPropertySymbols(error), [])
  t.deepEqual(Object.keys(error).sort(), ['code', 'endpoint', 'name', 'retryable'])
  t.true(deserializeError(serializeError(error)) instanceof TransportError)
})

test('a cause with parts that no other thread can get, or that throw, crosses with what is left of it', (t) => {
  // The stack first: it is made of the others when it is looked at.
  const keys = ['stack', 'code', 'syscall', 'name', 'message']
  const odd = new Error('odd')
  for (const key of keys) Object.defineProperty(odd, key, { value: () => key })
  const throwing = new Error('throwing')
  for (const key of keys) {
    Object.defineProperty(throwing, key, {
      get: () => {
        throw new Error(key)
      },
    })
  }
  const hostile = new Proxy(new Error('hostile'), {
    getPrototypeOf: () => {
      throw new Error('no')
    },
  })
  for (const code of ['ERR_HANDLER', 'ERR_HANDLER_LOAD'] as const) {
    for (const cause of [odd, throwing, hostile, null, 'text', Symbol('thrown'), () => undefined]) {
      const crossed = deserializeError(
        structuredClone(serializeError(new TransportError(code, 'it failed', { cause }))),
      )
      t.is(crossed.code, code)
      t.is(crossed.message, 'it failed')
    }
  }
})
