/** A page of the documents as something to try: for each heading, the files and the commands below it. */
import fs from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

export interface PagePart {
  readonly title: string
  /** By the name that stands before a block, as in "`host.mjs`:". */
  readonly files: ReadonlyMap<string, string>
  /** One script for each block of commands. */
  readonly scripts: readonly string[]
}

/** A heading, or a block with the name before it if there is one. */
const PIECE = /^#+ (?<title>.+)$|(?:`(?<name>[\w.-]+)`:\n\n)?^```(?<kind>\w+)\n(?<text>[^]*?)^```$/gm

/** `path`: from the repository. */
export async function readPageParts(path: string): Promise<readonly PagePart[]> {
  const page = await fs.readFile(fileURLToPath(new URL(`../../../${path}`, import.meta.url)), 'utf8')
  const parts: { title: string; files: Map<string, string>; scripts: string[] }[] = []
  for (const { groups = {} } of page.matchAll(PIECE)) {
    const { title, name, kind, text = '' } = groups
    if (title !== undefined) parts.push({ title, files: new Map(), scripts: [] })
    else if (kind === 'sh') parts.at(-1)?.scripts.push(text)
    else if (name !== undefined) parts.at(-1)?.files.set(name, text)
  }
  return parts
}
