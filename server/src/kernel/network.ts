/** Addresses: parsing, CIDR matching, and the coarse network that is kept instead of an address. */
import ipaddr from 'ipaddr.js'

type Parsed = ipaddr.IPv4 | ipaddr.IPv6

/** Parses an address; an IPv4-mapped IPv6 address is the IPv4 address it maps. Undefined when it is not one. */
export function parseAddress(text: string): Parsed | undefined {
  // Legacy spellings ("0x7f.1", "127.1", octal) have more than one reading: refuse them.
  if (text.length > 45 || (!text.includes(':') && !ipaddr.IPv4.isValidFourPartDecimal(text))) return undefined
  if (!ipaddr.isValid(text)) return undefined
  return ipaddr.process(text)
}

/** A parsed allow-list. Text is parsed once, at the edge. */
export type CidrList = readonly [Parsed, number][]

/** Throws an Error whose message names the faulty block. A bare address is a block of one. */
export function parseCidrs(blocks: readonly string[]): CidrList {
  return blocks.map((block) => {
    const slash = block.indexOf('/')
    const address = parseAddress(slash < 0 ? block : block.slice(0, slash))
    if (!address) throw new Error(`"${block.slice(0, 60)}" is not an IP address or CIDR block`)
    const widest = address.kind() === 'ipv4' ? 32 : 128
    const bits = slash < 0 ? widest : Number(block.slice(slash + 1))
    if (!/^\/\d{1,3}$/.test(slash < 0 ? '/0' : block.slice(slash)) || bits > widest)
      throw new Error(`"${block.slice(0, 60)}" has a prefix length that is not 0 to ${widest}`)
    return [address, bits]
  })
}

export function inCidrs(address: string, list: CidrList): boolean {
  const parsed = parseAddress(address)
  return (
    parsed !== undefined &&
    list.some(([base, bits]) => base.kind() === parsed.kind() && parsed.match(base, bits))
  )
}

/** The address, coarse: /24 of IPv4, /48 of IPv6, as kept in activity and last use. */
export function coarseNetwork(address: string): string {
  const known = coarse.get(address)
  if (known !== undefined) return known
  const network = coarseOf(address)
  if (coarse.size >= MOST_KNOWN) coarse.clear()
  coarse.set(address, network)
  return network
}

/** Parsing costs more than all else that a verify notes: the addresses seen lately are kept. */
const coarse = new Map<string, string>()
const MOST_KNOWN = 10_000

function coarseOf(address: string): string {
  const parsed = parseAddress(address)
  if (!parsed) return 'unknown'
  return parsed.kind() === 'ipv4' ? blockOf(parsed, 24) : blockOf(parsed, 48)
}

/** Who counts as one for rate limits: an IPv4 address, an IPv6 /64. */
export function limitNetwork(address: string): string {
  const parsed = parseAddress(address)
  if (!parsed) return 'unknown'
  return parsed.kind() === 'ipv4' ? parsed.toString() : blockOf(parsed, 64)
}

function blockOf(address: Parsed, bits: number): string {
  const bytes = address.toByteArray().map((byte, index) => (index * 8 < bits ? byte : 0))
  return `${ipaddr.fromByteArray(bytes).toString()}/${bits}`
}
