/** Packages of perf/peers, which are no dependencies of this one and may not be there. */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'

const folder = new URL('../../../../perf/peers/', import.meta.url)
const requireThere = createRequire(new URL('package.json', folder))

/** What brings them. */
export const INSTALL = 'npm ci --prefix perf/peers'

/** A file of perf/peers. */
export function peerFile(name: string): string {
  return fileURLToPath(new URL(name, folder))
}

export function isInstalled(name: string): boolean {
  return existsSync(new URL(`node_modules/${name}/package.json`, folder))
}

/** `Module`: what is used of it. Its own types are not there when it is not. */
export async function loadPackage<Module>(name: string): Promise<Module> {
  const { default: all } = (await import(pathToFileURL(requireThere.resolve(name)).href)) as { default: Module }
  return all
}

export async function loadNamed<Module>(name: string): Promise<Module> {
  return (await import(pathToFileURL(requireThere.resolve(name)).href)) as Module
}
