/** What the admin API sends, as far as the console reads it. The document is schemas/admin.openapi.json. */

/** Seconds since 1970. */
export type Instant = number;
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type Phase = "ringing" | "connecting" | "talking" | "transferring" | "leaving" | "over";
export type ActName =
  | "say" | "tell" | "hush" | "vars" | "instructions" | "handoff" | "transfer" | "hangup"
  | "take-over" | "give-back" | "note";

export interface Session { by: string; may: "watch" | "steer" }

/** A line of the list of live calls. */
export interface CallRow {
  id: string;
  agent: string;
  caller: string | null;
  called: string | null;
  transport: string;
  created_at: Instant;
  accepted_at: Instant | null;
  phase: Phase;
  speaking: "caller" | "agent" | "both" | "nobody";
  tools_running: number;
  led_by: string | null;
  trouble: string | null;
  cost_usd: number | null;
  max_cost_usd: number | null;
  max_duration_s: number;
  last_words: string | null;
  runner: string;
}

export interface Turn {
  id: string;
  /** The turn that it follows. */
  after: string | null;
  role: string;
  /** Null: no transcript is kept, or none has come yet. */
  text: string | null;
  at: Instant;
  heard_ms: number | null;
  waited_s: number | null;
  is_whole: boolean;
}

export interface Attempt { at: Instant; took_s: number | null; http_status: number | null; error: string | null }

export interface Tool {
  call_id: string;
  name: string;
  arguments: Json;
  started_at: Instant;
  took_s: number | null;
  status: string;
  http_status: number | null;
  attempts: Attempt[];
  error: string | null;
  reply: Json;
  /** The id of the turn before it. */
  turn: string | null;
}

export interface Span {
  who: "caller" | "agent" | "tool" | "person";
  from: Instant;
  /** Null while it lasts. */
  to: Instant | null;
  interrupted: boolean;
}

export interface Deed {
  id: string;
  by: string;
  what: ActName;
  given: { [key: string]: Json };
  at: Instant;
  /** `waiting` while it is under way. */
  result: string;
  detail: string;
  settled_at: Instant | null;
}

export interface Floor {
  at: Instant;
  phase: Phase;
  caller: boolean;
  agent: boolean;
  tools: number;
  led_by: string | null;
  is_attached: boolean;
  trouble: string | null;
}

export interface Limits {
  max_duration_s: number;
  cost_usd: number | null;
  max_cost_usd: number | null;
  tool_calls: number;
  max_tool_calls: number | null;
  lead_until: Instant | null;
}

/** Another agent began to serve the call. */
export interface AgentChange { agent: string; because: string; at: Instant }
export interface Choices { transfer_to: string[]; handoff: string[]; vars: string[] }

/** One call with all that is known of it. */
export interface Call {
  id: string;
  agent: string;
  caller: string | null;
  called: string | null;
  /** The header that `called` was read from. */
  called_found_in: string;
  transport: string;
  created_at: Instant;
  accepted_at: Instant | null;
  attached_at: Instant | null;
  ended_at: Instant | null;
  ended: string;
  detail: string;
  route: string | null;
  why: string;
  lookup_s: number | null;
  turns: Turn[];
  tools: Tool[];
  handoffs: AgentChange[];
  spans: Span[];
  deeds: Deed[];
  faults: string[];
  model: string;
  served_by: string | null;
  cost_usd: number | null;
  trouble: string | null;
  /** Null in a record: what follows is so only while a call lasts. */
  floor: Floor | null;
  limits: Limits | null;
  vars: { [name: string]: Json } | null;
  choices: Choices | null;
  runner: string | null;
  shows_words: boolean;
}

export interface RecordSummary {
  id: string;
  agent: string;
  caller: string | null;
  called: string | null;
  started_at: Instant;
  ended_at: Instant | null;
  ended: string;
  cost_usd: number | null;
}

export interface Percentiles { count: number; p50: number | null; p90: number | null; p99: number | null }
export interface Hour { from: Instant; calls: number; cost_usd: number; response_s: Percentiles }
export interface ToolDay { calls: number; failed: number; took_s: Percentiles }
export interface Day {
  from: Instant;
  to: Instant;
  calls: number;
  /** Calls whose cost is known. */
  priced: number;
  cost_usd: number;
  response_s: Percentiles;
  hours: Hour[];
  ended: { [word: string]: number };
  agents: { [agent: string]: number };
  tools: { [name: string]: ToolDay };
  is_whole: boolean;
}

/** An RFC 9457 problem. */
export interface Problem {
  title: string;
  status: number;
  detail: string;
  reason: string;
  errors?: { in: string; at: string; message: string }[];
  problems?: string[];
  deed?: Deed;
}
