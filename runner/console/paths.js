/** The console's own addresses, and what each shows. Pure. */

/**
 * @typedef {{page: "live"} | {page: "call", id: string} | {page: "recent", look: URLSearchParams}
 *   | {page: "day", look: URLSearchParams} | {page: "unknown"}} Place
 */

export const ROOT = "/console/";

/** @param {string} id */
export function callPath(id) {
  return `${ROOT}calls/${encodeURIComponent(id)}`;
}

/**
 * @param {string} pathname
 * @param {string} [search]
 * @returns {Place}
 */
export function place(pathname, search = "") {
  const below = pathname.startsWith(ROOT) ? pathname.slice(ROOT.length) : "";
  const [page, id, ...rest] = below.split("/");
  const look = new URLSearchParams(search);
  if (page === "" && id === undefined) return { page: "live" };
  if (page === "calls" && id && !rest.length) return { page: "call", id: decoded(id) };
  if (page === "recent" && id === undefined) return { page: "recent", look };
  if (page === "day" && id === undefined) return { page: "day", look };
  return { page: "unknown" };
}

/** @param {string} part */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
