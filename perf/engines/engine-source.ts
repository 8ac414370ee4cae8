/** Where an engine comes from that is measured beside another one, as it is named on the command line. */
import { statSync } from 'node:fs'
import { basename, isAbsolute, join, resolve } from 'node:path'
import { Unfit, type Reader } from '../../api/cli/options/reader.js'

export type EngineSource =
  | { readonly kind: 'commit'; readonly name: string }
  /** What `npm install` takes. */
  | { readonly kind: 'package'; readonly name: string; readonly spec: string }
  /** One that is built already. */
  | { readonly kind: 'folder'; readonly name: string; readonly path: string }

export const PACKAGE = 'symphony-transport'

/** What a host imports of the package, from the package's folder. */
export const ENTRY = join('dist', 'api', 'index.js')

/** A path begins with a dot or is absolute, an archive ends with .tgz; whatever looks like neither is a commit. */
export const engineSource: Reader<EngineSource> = (name) => {
  if (name.endsWith('.tgz')) {
    if (isFile(name)) return { kind: 'package', name: basename(name), spec: resolve(name) }
    throw new Unfit('an archive that is there')
  }
  if (name.startsWith(`${PACKAGE}@`)) return { kind: 'package', name, spec: name }
  if (name.startsWith('.') || isAbsolute(name)) {
    if (isFile(join(name, ENTRY))) return { kind: 'folder', name, path: resolve(name) }
    throw new Unfit(`a folder with ${ENTRY}: build it first (npm run build there)`)
  }
  if (name === '' || name.startsWith('-')) {
    throw new Unfit(`a commit, ${PACKAGE}@VERSION, a .tgz, or a folder like ./other or /other`)
  }
  return { kind: 'commit', name }
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true
}
