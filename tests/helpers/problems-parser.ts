/** A block of a problems file, as a scanner of the old tool's registry reads it. */
export interface Block {
  kind: string;
  title: string;
  /** `**Name:** value` above the first heading, brackets taken away. */
  fields: Record<string, string>;
  /** The named points below each `####` heading; the text of those that have none under ''. */
  sections: Record<string, Record<string, string>>;
  estimates: Record<string, string>;
}

const bracketed: Record<string, readonly string[]> = {
  Status: ['active'],
  Severity: ['critical', 'high'],
  Frequency: ['rare', 'occasional', 'frequent'],
  Impact: ['system_down', 'degraded_performance'],
  Pattern: ['environmental', 'load-based'],
  Resolution: ['configuration', 'code_fix'],
  Category: ['integration', 'reliability', 'configuration'],
};

/** What stands in every block of a kind in the registry that was kept before, by hand. */
const shapes: Record<string, { fields: string[]; sections: Record<string, string[]> }> = {
  ACTIVEPROBLEM: {
    fields: ['Status', 'Severity', 'Frequency', 'Impact', 'Discovered', 'Discovered By', 'Last Occurrence'],
    sections: {
      Description: [],
      'Reproduction Steps': [],
      'Impact Assessment': ['Users Affected', 'Business Impact', 'Technical Impact', 'Urgency Factors'],
      'Investigation Status': ['Root Cause', 'Workarounds', 'Related Issues', 'Attempted Solutions'],
      'Priority Estimates': [],
    },
  },
  INTERMITTENTPROBLEM: {
    fields: ['Pattern', 'Last Seen', 'Frequency', 'Tracking Since'],
    sections: {
      'Problem Pattern': ['Triggers', 'Conditions', 'Duration', 'Recovery'],
      'Detection Criteria': ['Symptoms', 'Monitoring', 'Logs', 'Metrics'],
      'Impact When Active': [],
      'Investigation Notes': [],
    },
  },
  RESOLVEDPROBLEM: {
    fields: ['Resolved', 'Duration', 'Resolution', 'Resolved By'],
    sections: {
      'Problem Summary': [],
      'Root Cause': ['Technical Cause', 'Process Cause', 'Knowledge Cause'],
      'Solution Implemented': ['Changes Made', 'Validation', 'Rollback Plan', 'Documentation'],
      'Lessons Learned': ['Prevention', 'Detection', 'Response', 'Knowledge Gaps'],
      'Success Metrics': ['Resolution Time', 'Effectiveness', 'Improvements'],
    },
  },
  PROBLEMPATTERN: {
    fields: ['Category', 'Frequency', 'Affected Systems'],
    sections: {
      'Pattern Description': ['Common Symptoms', 'Typical Triggers', 'Evolution', 'Cascade Effects'],
      'Detection Strategy': ['Early Warnings', 'Monitoring Approach', 'Alert Configuration', 'Automated Checks'],
      'Resolution Strategy': ['Standard Approach', 'Time to Resolution', 'Resource Requirements', 'Success Rate'],
      'Prevention Measures': ['Design Changes', 'Process Improvements', 'Monitoring Enhancements', 'Training Needs'],
    },
  },
  PROBLEMINTEGRATION: {
    fields: [],
    sections: {
      'Task Generation': [],
      'Priority Calculation': [],
      'Learning Integration': [],
      'Automation Opportunities': ['Auto-Detection', 'Auto-Triage', 'Auto-Resolution', 'Auto-Escalation'],
    },
  },
};

const headings = [
  'Active Issues',
  'Intermittent Issues',
  'Recently Resolved',
  'Problem Patterns',
  'Integration Points',
];

/** @throws where markers, fields or words are not those of the registry */
export function parseProblems(text: string): Block[] {
  const found = [...text.matchAll(/^## (.+)$/gm)].map(([, title]) => title);
  if (JSON.stringify(found) !== JSON.stringify(headings)) throw new Error(`headings: ${found.join(', ')}`);
  const blocks = [...text.matchAll(/^<!-- EMBED:([A-Z]+):START -->\n([\s\S]*?)\n<!-- EMBED:\1:END -->$/gm)];
  if (blocks.length * 2 !== text.split('<!-- EMBED:').length - 1) throw new Error('a marker has no partner');
  return blocks.map(([, kind = '', body = '']) => parseBlock(kind, body));
}

function parseBlock(kind: string, body: string): Block {
  const shape = shapes[kind];
  if (shape === undefined) throw new Error(`no kind ${kind}`);
  const [top = '', ...parts] = body.split(/^#### /m);
  const title = /^### (.+)$/m.exec(top)?.[1] ?? '';
  const fields = Object.fromEntries(
    [...top.matchAll(/^\*\*(.+?):\*\* (.+)$/gm)].map(([, name = '', value = '']) => [name, value]),
  );
  const sections = Object.fromEntries(
    parts.map((part) => {
      const [heading = '', ...rest] = part.split('\n');
      const named = [...part.matchAll(/^- \*\*(.+?):\*\* (.+)$/gm)].map(([, name = '', value = '']) => [name, value]);
      return [heading, Object.fromEntries(named.length > 0 ? named : [['', rest.join('\n').trim()]])];
    }),
  );
  for (const name of shape.fields) if (fields[name] === undefined) throw new Error(`${kind} "${title}" has no ${name}`);
  for (const [heading, names] of Object.entries(shape.sections)) {
    for (const name of names)
      if (!sections[heading]?.[name]) throw new Error(`${kind} "${title}" has no ${heading}: ${name}`);
    if (sections[heading] === undefined) throw new Error(`${kind} "${title}" has no ${heading}`);
  }
  return { kind, title, fields: withoutBrackets(kind, fields), sections, estimates: estimatesOf(kind, body) };
}

function withoutBrackets(kind: string, fields: Record<string, string>): Record<string, string> {
  const entries = Object.entries(fields).map(([name, value]) => {
    const word = /^\[(.+)\]$/.exec(value)?.[1];
    const words = bracketed[name];
    // Of what comes and goes, the frequency is told in words.
    const free = name === 'Frequency' && kind !== 'ACTIVEPROBLEM';
    if (words !== undefined && !free && !words.includes(word ?? '')) throw new Error(`${name} cannot be ${value}`);
    return [name, word ?? value];
  });
  return Object.fromEntries(entries);
}

function estimatesOf(kind: string, body: string): Record<string, string> {
  const yaml = /```yaml\n([\s\S]*?)\n```/.exec(body)?.[1] ?? '';
  const estimates = Object.fromEntries(
    [...yaml.matchAll(/^(\w+): "?([^"\s]+)"?\s*$/gm)].map(([, name = '', value = '']) => [name, value]),
  );
  const names = ['impact', 'urgency', 'success_prob', 'resource_cost'];
  if (kind === 'ACTIVEPROBLEM' && names.some((name) => estimates[name] === undefined))
    throw new Error(`estimates: ${yaml}`);
  return estimates;
}
