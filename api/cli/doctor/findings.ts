/** What the facts mean for who wants to use the package there. */
import type { Facts, Permission, RuntimeFolder } from './facts.js'

export interface Finding {
  readonly what: string
  /** `warning`: it works without. `missing`: something that is needed does not work. */
  readonly state: 'ok' | 'warning' | 'missing'
  /** In a line or two. */
  readonly found: string
  /** What to do about it. */
  readonly advice?: string
}

/** Ours, in `package.json`. */
const OLDEST = [20, 19] as const
/** Lines that the tests run on. */
const TESTED = [20, 22, 24, 26]
/** Below so many, a server may run out of them. */
const FEW_DESCRIPTORS = 4_096
/** What threads, listeners and files of the host need. */
const BESIDES = 300
const SHORT_NAME = 32

const ok = (what: string, found: string): Finding => ({ what, state: 'ok', found })
const warning = (what: string, found: string, advice: string): Finding => ({ what, state: 'warning', found, advice })
const missing = (what: string, found: string, advice: string): Finding => ({ what, state: 'missing', found, advice })

/** Something was tried, and what came of it may say itself what to do. */
function failed(what: string, reason: string, advice: string): Finding {
  return isDenial(reason) ? { what, state: 'missing', found: reason } : missing(what, reason, advice)
}

/** Such messages name the flag to set. */
function isDenial(reason: string): boolean {
  return reason.includes('permission model')
}

/** In the order in which they are shown: what needs another stands behind it, or is left out where that is missing. */
export function findings(facts: Facts): readonly Finding[] {
  const { runtimeFolder, permissions, activation } = facts
  return [
    runtime(facts),
    system(facts),
    sharedArrayBuffer(facts),
    threads(facts),
    sockets(facts),
    ...listening(facts),
    ...localNames(facts, runtimeFolder),
    ...abstractNames(facts),
    ...sharedMemory(facts),
    children(facts),
    descriptors(facts),
    processors(facts),
    ...(permissions === undefined ? [] : [permissionModel(permissions)]),
    ...(activation === undefined ? [] : [socketActivation(activation)]),
  ]
}

function runtime({ runtime: { name, version }, node }: Facts): Finding {
  const shown = name === 'Node' ? version : `${version}, compatible with Node ${node}`
  const [major = 0, minor = 0] = node.split('.').map(Number)
  const [oldestMajor, oldestMinor] = OLDEST
  if (major < oldestMajor || (major === oldestMajor && minor < oldestMinor)) {
    const advice = `Use Node ${OLDEST.join('.')} or later.`
    return missing(name, `${shown} is too old`, advice)
  }
  if (name !== 'Node' || TESTED.includes(major)) return ok(name, shown)
  const advice = `Where it matters, use one that is: ${TESTED.join(', ')}.`
  return warning(name, `${shown} is of a line that is not tested`, advice)
}

function system({ system: name, arch }: Facts): Finding {
  const shown = `${name} on ${arch}`
  if (name === 'linux' || name === 'win32') return ok('system', shown)
  const advice = 'What was tried here says what works. Please report what does not.'
  return warning('system', `${shown} is not tested`, advice)
}

function sharedArrayBuffer({ hasSharedArrayBuffer }: Facts): Finding {
  const what = 'SharedArrayBuffer'
  if (hasSharedArrayBuffer) return ok(what, 'there')
  return missing(what, 'not there', 'Start the runtime without the flag or policy that takes it away.')
}

function threads({ trials: { engine }, runtime: { name } }: Facts): Finding {
  const what = 'worker threads'
  if (engine.works) return ok(what, 'an engine starts')
  const advice =
    name === 'Node'
      ? 'Without them there is no engine. Look for limits of memory or of threads.'
      : `Run the program on Node: ${name} lacks something here.`
  return failed(what, engine.reason, advice)
}

function sockets({ system: name, trials: { net } }: Facts): Finding {
  if (name === 'win32') {
    if (net.works) return ok('named pipes', 'a round trip works')
    return failed('named pipes', net.reason, 'Look for a policy that forbids them: all but memory: needs them.')
  }
  if (net.works) return ok('Unix sockets', 'a round trip works')
  const advice = 'Set TMPDIR to a folder of a short path that allows sockets, and look for a sandbox that forbids them.'
  return failed('Unix sockets', net.reason, advice)
}

/** What listening on many threads stands on, and inline writes. Pipes do without. */
function listening({ system: name, runtime, trials: { net, listening: tried } }: Facts): readonly Finding[] {
  if (tried === undefined) return []
  const what = name === 'win32' ? 'listening' : 'descriptors'
  if (tried.works && runtime.name === 'Deno') {
    const found = 'do not pass between threads: one of them takes all connections of a listener'
    return [warning(what, found, 'Where many connect, use Node.')]
  }
  if (tried.works)
    return [ok(what, name === 'win32' ? 'works' : 'pass between threads, so that all of them can listen')]
  if (!net.works)
    return [failed(what, tried.reason, `Mend ${name === 'win32' ? 'named pipes' : 'Unix sockets'} first.`)]
  const advice =
    name === 'win32'
      ? 'A pipe works by itself, and not with an engine: please report this.'
      : 'They cannot be passed between threads here: engines can connect, and not listen. Use Node.'
  return [failed(what, tried.reason, advice)]
}

function localNames({ trials: { listening, local } }: Facts, folder: RuntimeFolder | undefined): readonly Finding[] {
  const what = 'local: names'
  // Nothing is known of them alone.
  if (local === undefined || listening?.works !== true) return []
  if (folder === undefined)
    return [local.works ? ok(what, 'are named pipes') : failed(what, local.reason, 'Use pipe:NAME.')]
  const { path, variable, isUsed, stat, nameBytes } = folder
  const own = 'Set XDG_RUNTIME_DIR to a folder of your own with a short path, like /run/user/UID.'
  if (!local.works) {
    const isOpen = stat !== undefined && (!stat.isOwn || (stat.mode & 0o077) !== 0)
    return [failed(what, local.reason, isOpen ? `Remove ${path}, or chmod 700 it, after checking who made it.` : own)]
  }
  if (!isUsed) {
    const why = variable === undefined ? 'is not set' : 'is no absolute path'
    return [warning(what, `lie in ${path}, which cleaners may empty: XDG_RUNTIME_DIR ${why}`, own)]
  }
  const found = `lie in ${path}, names of up to ${String(nameBytes)} bytes`
  return [nameBytes < SHORT_NAME ? warning(what, found, own) : ok(what, found)]
}

function abstractNames({ system: name, trials: { listening, abstract } }: Facts): readonly Finding[] {
  const what = 'abstract names'
  const advice = 'Use unix:PATH or local:NAME.'
  if (name !== 'linux') return [warning(what, 'only Linux has them', advice)]
  if (abstract === undefined || listening?.works !== true) return []
  return [abstract.works ? ok(what, 'unix:@NAME works') : warning(what, abstract.reason, advice)]
}

function sharedMemory({ system: name, trials: { listening, shared } }: Facts): readonly Finding[] {
  const what = 'shared memory'
  if (name === 'win32') return [warning(what, 'processes cannot share it on Windows', 'Use local:NAME.')]
  if (shared === undefined || listening?.works !== true) return []
  if (shared.works) return [ok(what, `by ${shared.provider}`)]
  return [warning(what, shared.reason, 'Until then shm: goes over its socket, and is slower.')]
}

function children({ hasShell, permissions }: Facts): Finding {
  const what = 'child processes'
  if (isDenied(permissions, 'child')) {
    return warning(what, "Node's permission model forbids them", 'Start this process with --allow-child-process.')
  }
  if (hasShell) return ok(what, 'can be guarded')
  const found = '/bin/sh is not there: a child outlives a host that is killed'
  return warning(what, found, 'Add a shell, or set guard: false where that is all right.')
}

function descriptors({ system: name, descriptors: limits }: Facts): Finding {
  const what = 'open files'
  if (name === 'win32') return ok(what, 'have no limit that matters')
  if (limits === undefined) return ok(what, 'the system does not tell their limit')
  const { soft, hard } = limits
  if (soft === Infinity) return ok(what, 'without limit')
  const most = Math.max(0, soft - BESIDES)
  const found = `at most ${String(soft)}: some ${String(most)} connections at a time`
  if (soft >= FEW_DESCRIPTORS) return ok(what, found)
  const how = hard > soft ? `Raise it with ulimit -n, up to ${String(hard)}` : 'Have the hard limit raised'
  return warning(what, found, `${how} (LimitNOFILE= of systemd, --ulimit nofile= of docker).`)
}

function processors({ processors: count, defaultShards }: Facts): Finding {
  const what = 'processors'
  const threads = defaultShards === 1 ? '1 shard' : `${String(defaultShards)} shards`
  const found = `${String(count)}, so an engine has ${threads} by default`
  if (count > 1) return ok(what, found)
  return warning(what, found, 'Threads take turns on it, and nothing spins: round trips take longer.')
}

/** Each that matters has a line of its own, by what was tried. */
function permissionModel(permissions: readonly Permission[]): Finding {
  const what = 'permissions'
  const denied = permissions.filter(({ isGranted }) => !isGranted)
  if (denied.length === 0) return ok(what, "Node's permission model is on, and allows what is needed")
  const names = denied.map(({ name }) => name).join(', ')
  const flags = denied.map(({ flag }) => flag).join(' ')
  return warning(what, `Node's permission model is on, and forbids: ${names}`, `Where you need them: ${flags}`)
}

function socketActivation({ count, isForUs }: NonNullable<Facts['activation']>): Finding {
  const what = 'activation'
  const sockets = count === 1 ? '1 socket' : `${String(count)} sockets`
  if (isForUs && count > 0) return ok(what, `systemd has passed ${sockets}`)
  const found = `LISTEN_FDS says ${sockets}, and LISTEN_PID names another process`
  return warning(what, found, 'Start the program itself as the service: a shell or npx in front of it is in the way.')
}

function isDenied(permissions: Facts['permissions'], name: string): boolean {
  return permissions?.some((each) => each.name === name && !each.isGranted) ?? false
}
