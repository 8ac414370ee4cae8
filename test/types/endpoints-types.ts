/** What the compiler accepts and refuses as an endpoint, as text and as an object. It is compiled, and never run. */
import { expectTypeOf } from 'expect-type'
import { activatedEndpoints } from 'symphony-transport'
import type {
  ChildEndpoint,
  Endpoint,
  EndpointObject,
  Engine,
  FdEndpoint,
  PipeEndpoint,
  ProcessStdioEndpoint,
} from 'symphony-transport'

declare const engine: Engine

expectTypeOf<Endpoint>().toEqualTypeOf<string | EndpointObject>()
expectTypeOf<EndpointObject['kind']>().toEqualTypeOf<'unix' | 'local' | 'shm' | 'pipe' | 'memory' | 'stdio' | 'fd'>()
expectTypeOf<PipeEndpoint | FdEndpoint | ProcessStdioEndpoint | ChildEndpoint>().toExtend<EndpointObject>()

// Text is checked when the program runs: the compiler cannot know what it was read from.
engine.transport('unix:/run/echo.sock')
engine.transport(process.argv[2] ?? 'stdio:')

engine.transport({ kind: 'unix', path: '/run/echo.sock' })
engine.transport({ kind: 'unix', abstract: 'echo' })
engine.transport({ kind: 'local', name: 'echo' })
engine.transport({ kind: 'shm', name: 'echo' })
engine.transport({ kind: 'shm', path: '/run/echo.shm' })
engine.transport({ kind: 'memory', name: 'echo' })
engine.transport({ kind: 'pipe', name: 'echo', readableAll: true, writableAll: false })
engine.transport({ kind: 'fd', fd: 3 })
engine.transport({ kind: 'fd', fd: 3, name: 'http' })
expectTypeOf(activatedEndpoints()).toEqualTypeOf<readonly FdEndpoint[]>()
// Without a socket from outside, a path.
engine.transport(activatedEndpoints()[0] ?? 'unix:/run/echo.sock')
engine.transport({ kind: 'stdio' })
engine.transport({ kind: 'stdio', command: 'server' })
engine.transport({ kind: 'stdio', command: 'server', args: ['--stdio'], cwd: '/', env: { LANG: undefined } })
engine.transport({ kind: 'stdio', command: 'server', stderr: 'ignore', killAfterMs: 500, guard: false })
engine.transport({ kind: 'stdio', command: 'server', stderr: (line) => line.toUpperCase() })
engine.transport({ kind: 'stdio', command: 'server', env: process.env })

// @ts-expect-error no endpoint at all
engine.transport()
// @ts-expect-error a network is none
engine.transport({ kind: 'tcp', port: 1 })
// @ts-expect-error the path is missing
engine.transport({ kind: 'unix' })
// @ts-expect-error a number is no path
engine.transport({ kind: 'unix', path: 1 })
// @ts-expect-error a name is no path
engine.transport({ kind: 'unix', name: 'echo' })
// @ts-expect-error a path is no name
engine.transport({ kind: 'local', path: '/run/echo.sock' })
// @ts-expect-error neither a name nor a path
engine.transport({ kind: 'shm' })
// @ts-expect-error shared memory has no abstract names
engine.transport({ kind: 'shm', abstract: 'echo' })
// @ts-expect-error rights are those of a pipe
engine.transport({ kind: 'memory', name: 'echo', readableAll: true })
// @ts-expect-error arguments are a list
engine.transport({ kind: 'stdio', command: 'server', args: '--stdio' })
// @ts-expect-error values of the environment are texts
engine.transport({ kind: 'stdio', command: 'server', env: { PORT: 1 } })
// @ts-expect-error no such way for stderr
engine.transport({ kind: 'stdio', command: 'server', stderr: 'pipe' })
// @ts-expect-error a URL is not taken for a path
engine.transport(new URL('file:///run/echo.sock'))
