/**
 * What npm has installed, for a host that is bundled: its bundle has the engine's code, and not the files that threads
 * start from. Bundlers must not see what is looked up here. See docs/decisions/entry-discovery.md.
 */
import { realpathSync } from 'node:fs'
// By this name alone: hosts that are bundled often have a `createRequire` of their own on top.
import nodeModule from 'node:module'
import { dirname, isAbsolute } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const NAME = 'symphony-transport'

export interface InstalledPackage {
  /** Its folder. */
  readonly path: string
  readonly version: string
}

/** This module, or the bundle that it is part of. Webpack writes down where the module was when it was bundled. */
export function ownFile(): string | undefined {
  // Bundlers that write CommonJS leave import.meta empty, and replace import.meta.url where it is written like this.
  const url = (import.meta as Partial<ImportMeta>).url
  if (url === undefined) return __filename
  try {
    return fileURLToPath(url)
  } catch {
    // It was bundled on a system whose paths are no paths here.
    return undefined
  }
}

/** Of Node, for a program that is given as text. */
const EVALUATES = /^(?:-e|-p|-pe|--eval|--print)(?:=|$)/

/** Never the working directory: what lies there is not the host's own. */
export function searchedFrom(): readonly string[] {
  const files = [ownFile(), programFile()]
  return [...new Set(files.filter((file) => file !== undefined && isAbsolute(file)))] as readonly string[]
}

/** The program that runs. Without one, what stands in its place is an argument, which anybody may have chosen. */
function programFile(): string | undefined {
  const script = process.argv[1]
  const isText = process.execArgv.some((flag) => EVALUATES.test(flag))
  return script === undefined || isText || !isAbsolute(script) ? undefined : real(script)
}

/** The same package, as the nearest folder `node_modules` has it. */
export function findInstalledPackage(): InstalledPackage | undefined {
  for (const from of searchedFrom()) {
    const manifest = requireFrom(from, `${NAME}/package.json`)
    if (manifest === undefined) continue
    const { version } = manifest.exports as { readonly version: string }
    return { path: dirname(manifest.path), version }
  }
  return undefined
}

export interface Required {
  readonly path: string
  readonly exports: unknown
}

/** Undefined: it is not there, seen from that file. */
export function requireFrom(file: string, name: string): Required | undefined {
  const require = nodeModule.createRequire(file)
  let path: string
  try {
    path = require.resolve(name)
  } catch {
    return undefined
  }
  return { path, exports: require(path) }
}

/** Programs are often started by a link, such as those in node_modules/.bin. */
function real(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}
