/**
 * IP addresses and CIDR blocks, read strictly: an address with more than one reading ("127.1", "0x7f.0.0.1", octal,
 * a zone) is not an address. An IPv4-mapped IPv6 address is the IPv4 address it maps (RFC 4291, section 2.5.5.2):
 * dual-stack sockets show IPv4 callers that way.
 */

/** 4 or 16 bytes. */
type Address = readonly number[]

interface Block {
  readonly address: Address
  readonly bits: number
}

/** A parsed allow-list. */
export type Blocks = readonly Block[]

/** Undefined when any of them is not an address or CIDR block: half a list would admit or refuse the wrong callers. */
export function parseBlocks(texts: readonly string[]): Blocks | undefined {
  const blocks: Block[] = []
  for (const text of texts) {
    const block = parseBlock(text)
    if (!block) return undefined
    blocks.push(block)
  }
  return blocks
}

/** False for whatever is not an address. */
export function isIn(text: string, blocks: Blocks): boolean {
  const address = parseAddress(text)
  return address !== undefined && blocks.some((block) => contains(block, address))
}

function contains({ address: base, bits }: Block, address: Address): boolean {
  if (base.length !== address.length) return false
  for (let index = 0; index * 8 < bits; index++) {
    const kept = Math.min(8, bits - index * 8)
    const mask = 0xff & (0xff << (8 - kept))
    if (((base[index] as number) & mask) !== ((address[index] as number) & mask)) return false
  }
  return true
}

function parseBlock(text: string): Block | undefined {
  const [host = '', length, ...rest] = text.split('/')
  if (rest.length > 0) return undefined
  const address = parseAddress(host)
  if (!address) return undefined
  const widest = address.length * 8
  if (length === undefined) return { address, bits: widest }
  if (!/^\d{1,3}$/.test(length)) return undefined
  // In "::ffff:10.0.0.0/104" the length counts the 96 bits of the IPv6 spelling.
  const spelled = Number(length)
  const bits = widest === 32 && host.includes(':') && spelled >= 96 ? spelled - 96 : spelled
  return bits <= widest ? { address, bits } : undefined
}

/** 4 or 16 bytes, or undefined. */
export function parseAddress(text: string): Address | undefined {
  if (text.length > 45) return undefined
  if (!text.includes(':')) return parseIPv4(text)
  const bytes = parseIPv6(text)
  return bytes && isMapped(bytes) ? bytes.slice(12) : bytes
}

function parseIPv4(text: string): Address | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)
  if (!match) return undefined
  const parts = match.slice(1)
  // A leading zero is octal to some readers and decimal to others.
  if (parts.some((part) => Number(part) > 255 || (part.length > 1 && part.startsWith('0')))) return undefined
  return parts.map(Number)
}

function parseIPv6(text: string): Address | undefined {
  const lastColon = text.lastIndexOf(':')
  const tail = text.slice(lastColon + 1)
  let groups = text
  if (tail.includes('.')) {
    const ipv4 = parseIPv4(tail)
    if (!ipv4) return undefined
    const [a, b, c, d] = ipv4 as [number, number, number, number]
    groups = `${text.slice(0, lastColon + 1)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
  }
  const halves = groups.split('::')
  if (halves.length > 2) return undefined
  const head = parseGroups(halves[0] as string)
  const rest = halves.length === 2 ? parseGroups(halves[1] as string) : []
  if (!head || !rest) return undefined
  const missing = 8 - head.length - rest.length
  // "::" stands for at least one group (RFC 4291 allows it for one, RFC 5952 only discourages that).
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined
  const all = [...head, ...Array.from({ length: missing }, () => 0), ...rest]
  return all.flatMap((group) => [group >> 8, group & 0xff])
}

function parseGroups(text: string): number[] | undefined {
  if (text === '') return []
  const groups = text.split(':')
  return groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))
    ? groups.map((group) => Number.parseInt(group, 16))
    : undefined
}

function isMapped(bytes: Address): boolean {
  return bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff
}
