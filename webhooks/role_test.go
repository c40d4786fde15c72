package webhooks

import "testing"

func TestDecideRole(t *testing.T) {
	tests := map[string]struct {
		asker         string
		before, after *role
		want          string
	}{
		"what one manages":                  {asker: "soma:alice", after: roleOf("new", []string{"root"}, "manage job:", "read secret://local/acme/vision")},
		"an empty one":                      {asker: "soma:greta", after: roleOf("new", nil)},
		"more than one has":                 {asker: "soma:greta", after: roleOf("new", nil, "read job:"), want: "you lack manage on job://: "},
		"a project that one manages":        {asker: "soma:carol", after: roleOf("new", nil, "write job://local/acme/vision")},
		"more than that project":            {asker: "soma:carol", after: roleOf("new", nil, "write job://local/acme"), want: "you lack manage on job://local/acme"},
		"a relative one, of any project":    {asker: "soma:carol", after: roleOf("new", nil, "write job:train"), want: "you lack manage on job://"},
		"including what one lacks":          {asker: "soma:greta", after: roleOf("new", []string{"reader"}), want: "you lack manage on job://, manage on project://, manage on secret://: "},
		"including what is granted to it":   {asker: "soma:greta", after: roleOf("new", []string{"team"}), want: "you lack manage on job://*/acme/robots"},
		"reviving one that is granted to":   {asker: "soma:greta", after: roleOf("that-was", nil), want: "you lack manage on job://*/acme/robots"},
		"an unknown one, seen":              {asker: "soma:alice", after: roleOf("new", []string{"gone"}), want: `spec.includes[0]: there is no role "gone"`},
		"a circle":                          {asker: "soma:alice", before: roleOf("reader", nil), after: roleOf("reader", []string{"admin"}), want: "in a circle: reader → admin → manager → writer → reader"},
		"no change":                         {asker: "soma:greta", before: roleOf("root", []string{"admin"}, "manage user://"), after: roleOf("root", []string{"admin"}, "manage user://")},
		"what it included before, and went": {asker: "soma:greta", before: roleOf("broken", []string{"gone"}), after: roleOf("broken", []string{"gone"}, "read cluster://"), want: "you lack manage on cluster://"},
		"less":                              {asker: "soma:greta", before: roleOf("root", []string{"admin"}, "manage user://"), after: roleOf("root", nil, "manage user://")},
		"less of an action":                 {asker: "soma:greta", before: roleOf("x", nil, "manage user://"), after: roleOf("x", nil, "read user://")},
		"more of an action":                 {asker: "soma:greta", before: roleOf("x", nil, "read user://"), after: roleOf("x", nil, "write user://"), want: "manage on user://"},
		"deeper":                            {asker: "soma:greta", before: roleOf("x", nil, "read user://"), after: roleOf("x", nil, "read user://", "read user://bob")},
		"to see more than the way to it":    {asker: "soma:greta", before: roleOf("x", nil, "read job://local/acme/vision"), after: roleOf("x", nil, "read job://local/acme/vision", "list job://local/acme"), want: "manage on job://local/acme"},
		"an address with ..":                {asker: "soma:alice", after: roleOf("new", nil, "read job://local/../x"), want: "spec.grants[0].uri: address"},
		"an address that is no address":     {asker: "kubernetes-admin", after: roleOf("new", nil, "read job://local/Acme"), want: "lower-case"},
		"others, nothing given":             {asker: "kubernetes-admin", after: roleOf("new", nil)},
		"others, something given":           {asker: "kubernetes-admin", after: roleOf("new", nil, "list job:"), want: "escalate"},
		"others, what was there":            {asker: "kubernetes-admin", before: roleOf("x", nil, "manage user://"), after: roleOf("x", nil, "read user://")},
		"of one thing, then of all":         {asker: "soma:greta", before: roleOf("x", nil, "read job:train"), after: roleOf("x", nil, "read job:"), want: "manage on job://"},
		"of all, then of one thing":         {asker: "soma:greta", before: roleOf("x", nil, "read job:"), after: roleOf("x", nil, "read job:train")},
		"of each project, then of all":      {asker: "soma:greta", before: roleOf("x", nil, "read job:"), after: roleOf("x", nil, "read job://"), want: "manage on job://"},
		"everybody":                         {asker: "soma:greta", before: roleOf("everyone", nil, "read cluster://"), after: roleOf("everyone", nil, "read cluster://", "manage role://"), want: "manage on role://"},
		"one's own":                         {asker: "soma:greta", before: roleOf("role-maker", nil, "write role://"), after: roleOf("role-maker", nil, "manage role://"), want: "manage on role://"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if tc.before == nil {
				tc.before = &role{}
			}
			escalates, err := decideRole(asking(t, company(), tc.asker), tc.before, tc.after)
			outcome(t, escalates, err, tc.want)
		})
	}
}

func TestDecideRoleEnd(t *testing.T) {
	for name, tc := range map[string]struct{ asker, role, want string }{
		"nobody has it":                {"soma:greta", "broken", ""},
		"users hold it":                {"soma:greta", "hr", "you lack manage on role://hr: "},
		"grants give it":               {"soma:greta", "writer", "you lack manage on role://writer: "},
		"who holds it is given rights": {"soma:greta", "that-was", "you lack manage on role://that-was: "},
		"others include it":            {"soma:greta", "reader", "you lack manage on role://reader: "},
		"everybody has it":             {"soma:greta", "everyone", "you lack manage on role://everyone: "},
		"by who manages roles":         {"soma:alice", "writer", ""},
		"by others":                    {"kubernetes-admin", "writer", ""},
	} {
		t.Run(name, func(t *testing.T) {
			outcome(t, false, decideRoleEnd(asking(t, company(), tc.asker), roleOf(tc.role, nil)), tc.want)
		})
	}
}
