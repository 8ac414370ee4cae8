/** The handler modules of a shard: each is loaded once, however many listeners it serves. */
// By this name alone: hosts that are bundled often have a `createRequire` of their own on top.
import nodeModule from 'node:module'
import { fileURLToPath } from 'node:url'
import { describe, shortUrl } from '../../engine/common/describe.js'
import type { HandlerModule, ShardHandler } from '../../engine/common/handler-module.js'
import { TransportError } from '../../engine/protocol/errors.js'
import { describeThrown } from './handler-reports.js'

type Exports = Readonly<Record<string, unknown>>

export class HandlerModules {
  readonly #loading = new Map<string, Promise<HandlerModule>>()

  /** Rejects with ERR_HANDLER_LOAD. */
  load(url: string): Promise<HandlerModule> {
    let loading = this.#loading.get(url)
    if (loading === undefined) {
      loading = load(url)
      this.#loading.set(url, loading)
      // One that is mended meanwhile may load when a later listener asks.
      loading.catch(() => this.#loading.delete(url))
    }
    return loading
  }
}

async function load(url: string): Promise<HandlerModule> {
  let namespace: Exports
  try {
    namespace = await importOrRequire(url)
  } catch (cause) {
    throw loadFailure(url, 'could not be loaded', cause)
  }
  try {
    return readModule(namespace)
  } catch (cause) {
    throw loadFailure(url, 'has exports that do not fit', cause)
  }
}

async function importOrRequire(url: string): Promise<Exports> {
  try {
    // Not for bundlers to look at: it is the host's own file, known when it runs.
    return (await import(/* webpackIgnore: true */ /* @vite-ignore */ url)) as Exports
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_UNKNOWN_FILE_EXTENSION')) throw error
    // In a worker thread of Node 20 a loader of TypeScript, such as tsx, serves require() alone.
    const require = nodeModule.createRequire(url)
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- it says whether there is such a loader
    if (!('.ts' in require.extensions)) throw error
    return asNamespace(require(fileURLToPath(url)))
  }
}

function asNamespace(exported: unknown): Exports {
  return isObject(exported) && 'default' in exported ? exported : { default: exported }
}

/** `what`: what went wrong, and with `cause` why. */
export function loadFailure(url: string, what: string, cause: unknown): TransportError {
  const { message } = describeThrown(cause)
  return new TransportError('ERR_HANDLER_LOAD', `the handler module ${shortUrl(url)} ${what}: ${message}`, { cause })
}

/** A CommonJS module has everything in its default export, and one that was compiled to it its default export too. */
function readModule(namespace: Exports): HandlerModule {
  const exported = namespace['default']
  const inner: Exports = isObject(exported) ? exported : {}
  const serve = typeof exported === 'function' ? exported : inner['default']
  if (typeof serve !== 'function') {
    throw new TypeError(`its default export must be a function (connection, context), and is ${describe(exported)}`)
  }
  return {
    serve: serve as ShardHandler,
    setup: optionalFunction('setup', namespace['setup'] ?? inner['setup']),
    api: optionalFunction('api', namespace['api'] ?? inner['api']),
    teardown: optionalFunction('teardown', namespace['teardown'] ?? inner['teardown']),
  }
}

function optionalFunction<Name extends 'setup' | 'api' | 'teardown'>(name: Name, value: unknown): HandlerModule[Name] {
  if (value === undefined || typeof value === 'function') return value as HandlerModule[Name]
  throw new TypeError(`its export ${name} must be a function, and is ${describe(value)}`)
}

function isObject(value: unknown): value is Exports {
  return (typeof value === 'object' && value !== null) || typeof value === 'function'
}
