/** What the compiler accepts and refuses of functions that another thread offers. It is compiled, and never run. */
import { expectTypeOf } from 'expect-type'
import { callsOver, type Calls } from '../../engine/calls/calls-over.js'
import type { HostFunctions, RemoteFunctions } from '../../engine/calls/remote-functions.js'

interface User {
  readonly id: number
}

interface Host {
  lookup(id: number): User | undefined
  save(user: User, force?: boolean): Promise<void>
  list(...ids: readonly number[]): readonly User[]
  optional?(): string
}

declare function takes<F extends HostFunctions<F>>(functions: F): RemoteFunctions<F>
declare const host: Host
declare const port: Parameters<typeof callsOver>[0]

// An interface is taken as well as an object literal, and what is not a function is refused.
const remote = takes(host)
expectTypeOf(remote.lookup).toEqualTypeOf<(id: number) => Promise<User | undefined>>()
expectTypeOf(remote.save).toEqualTypeOf<(user: User, force?: boolean) => Promise<void>>()
expectTypeOf(remote.list).toEqualTypeOf<(...ids: readonly number[]) => Promise<readonly User[]>>()
expectTypeOf(remote.optional).toEqualTypeOf<(() => Promise<string>) | undefined>()
expectTypeOf(takes({ now: () => 1 })).toEqualTypeOf<{ readonly now: () => Promise<number> }>()
// @ts-expect-error it has a property that is not a function
takes({ now: () => 1, version: '1' })
expectTypeOf(remote).not.toHaveProperty('lookpu')
// @ts-expect-error an id is a number
void remote.lookup('7')
// @ts-expect-error it is not for the caller to replace
remote.lookup = () => Promise.resolve(undefined)

// Names that are never called are not there.
interface Odd {
  then(): void
  toJSON(): string
  [Symbol.iterator](): string
  real(): number
}
expectTypeOf<RemoteFunctions<Odd>>().toEqualTypeOf<{ readonly real: () => Promise<number> }>()
expectTypeOf<Awaited<RemoteFunctions<Odd>>>().toEqualTypeOf<RemoteFunctions<Odd>>()

// Without types, any name is a function.
type Untyped = Readonly<Record<string, (...args: unknown[]) => unknown>>
expectTypeOf<RemoteFunctions<Untyped>>().toEqualTypeOf<
  Readonly<Record<string, (...args: unknown[]) => Promise<unknown>>>
>()

expectTypeOf(callsOver<Host>(port, { what: 'context.host', endpoint: undefined })).toEqualTypeOf<Calls<Host>>()
expectTypeOf<Calls<Host>['proxy']>().toEqualTypeOf<RemoteFunctions<Host>>()
