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

/** In the order in which they are shown: what needs another stands behind it. */
export function findings(facts: Facts): readonly Finding[] {
  const { runtimeFolder, permissions, activation } = facts
  return [
    runtime(facts),
    system(facts),
    sharedArrayBuffer(facts),
    threads(facts),
    sockets(facts),
    ...descriptorPassing(facts),
    localNames(facts, runtimeFolder),
    abstractNames(facts),
    sharedMemory(facts),
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

function threads({ trials: { engine }, permissions, runtime: { name } }: Facts): Finding {
  const what = 'worker threads'
  if (engine.works) return ok(what, 'an engine starts')
  if (isDenied(permissions, 'worker')) return missing(what, engine.reason, 'Start this process with --allow-worker.')
  if (name !== 'Node') return missing(what, engine.reason, `Run the program on Node: ${name} lacks something here.`)
  return missing(what, engine.reason, 'Without them there is no engine. Look for limits of memory or of threads.')
}

function sockets({ system: name, trials: { net, listening } }: Facts): Finding {
  const what = name === 'win32' ? 'named pipes' : 'Unix sockets'
  if (!net.works) {
    const advice =
      name === 'win32'
        ? 'Nothing but memory: works. Look for a policy that forbids named pipes.'
        : 'Set TMPDIR to a folder of a short path that allows sockets, and look for a sandbox that forbids them.'
    return missing(what, net.reason, advice)
  }
  // Where descriptors are passed, that is what it is put down to.
  if (name !== 'win32' || listening?.works !== false) return ok(what, 'a round trip works')
  return missing(what, listening.reason, 'A pipe works by itself, and not with an engine: please report this.')
}

/** What listening on many threads stands on, and inline writes. Pipes do without. */
function descriptorPassing({ system: name, trials: { net, listening } }: Facts): readonly Finding[] {
  const what = 'descriptors'
  if (name === 'win32') return []
  if (listening === undefined) return [notTried(what)]
  if (listening.works) return [ok(what, 'pass between threads, so all of them can listen')]
  const advice = net.works
    ? 'This runtime cannot pass them between threads, so it can connect, and not listen. Use Node.'
    : 'See Unix sockets.'
  return [missing(what, listening.reason, advice)]
}

function localNames({ trials: { local } }: Facts, folder: RuntimeFolder | undefined): Finding {
  const what = 'local: names'
  if (local === undefined) return notTried(what)
  if (folder === undefined) {
    if (local.works) return ok(what, 'are named pipes')
    return missing(what, local.reason, 'See named pipes.')
  }
  const { path, variable, isUsed, stat, nameBytes } = folder
  const own = 'Set XDG_RUNTIME_DIR to a folder of your own with a short path, like /run/user/UID.'
  if (!local.works) return missing(what, local.reason, own)
  if (stat !== undefined && (!stat.isOwn || (stat.mode & 0o077) !== 0)) {
    const found = `${path} has mode ${stat.mode.toString(8)}${stat.isOwn ? '' : " and is another user's"}`
    return warning(what, found, 'Remove it, or chmod 700 it, after checking who made it.')
  }
  if (!isUsed) {
    const why = variable === undefined ? 'is not set' : 'is no absolute path'
    return warning(what, `lie in ${path}, which cleaners may empty: XDG_RUNTIME_DIR ${why}`, own)
  }
  const found = `lie in ${path}, names of up to ${String(nameBytes)} bytes`
  return nameBytes < SHORT_NAME ? warning(what, found, own) : ok(what, found)
}

function abstractNames({ system: name, trials: { abstract } }: Facts): Finding {
  const what = 'abstract names'
  if (abstract?.works === true) return ok(what, 'unix:@NAME works')
  const advice = 'Use unix:PATH or local:NAME.'
  if (name !== 'linux') return warning(what, 'only Linux has them', advice)
  return abstract === undefined ? notTried(what) : warning(what, abstract.reason, advice)
}

function sharedMemory({ system: name, trials: { shared } }: Facts): Finding {
  const what = 'shared memory'
  if (name === 'win32') return warning(what, 'processes cannot share it on Windows', 'Use local:NAME.')
  if (shared === undefined) return notTried(what)
  if (shared.works) return ok(what, `by ${shared.provider}`)
  return warning(what, shared.reason, 'shm: works all the same, over its socket.')
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

function notTried(what: string): Finding {
  return missing(what, 'not tried: no engine has started', 'See worker threads.')
}

function isDenied(permissions: Facts['permissions'], name: string): boolean {
  return permissions?.some((each) => each.name === name && !each.isGranted) ?? false
}
