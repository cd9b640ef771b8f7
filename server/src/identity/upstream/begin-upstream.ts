/** The address at which a sign-in elsewhere begins, from a page of ours. */
export function beginUpstream(providerId: string, place: string, placeMark: string): string {
  return `/sign-in/upstream/${providerId}?${new URLSearchParams({ place, place_mark: placeMark })}`
}
