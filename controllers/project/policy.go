package project

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/soma-platform/soma/api/v1alpha1"
)

const dnsPort = 53

// ownLabels are the labels of everything that is made for a project.
func ownLabels(project string) map[string]string {
	return map[string]string{v1alpha1.LabelProject: project}
}

// namespaceLabels are the labels of a project's namespace: whose it is, and that only restricted pods may run in it. Jobs
// are built to be such pods; the labels see to it that nothing else gets in.
func namespaceLabels(project string) map[string]string {
	labels := ownLabels(project)
	for _, mode := range []string{"enforce", "audit", "warn"} {
		labels["pod-security.kubernetes.io/"+mode] = "restricted"
		labels["pod-security.kubernetes.io/"+mode+"-version"] = "latest"
	}
	return labels
}

// notOutside are the address ranges that are not the outside world: networks of the site and of the cluster itself, the
// range of carriers that clouds use for pods, and link-local addresses, among them the metadata service of clouds, which
// hands out the credentials of the node.
var notOutside = struct{ v4, v6 []string }{
	v4: []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16"},
	v6: []string{"fc00::/7", "fe80::/10"},
}

// networkPolicy is the policy of a project's namespace, where Soma itself runs in the namespace system. A project is a tenant, so:
//
//   - in come only the project's own pods, Soma, whose gateway carries the pages of jobs, and a proxy that carries them itself, which
//     a label of its namespace tells; without that label none does;
//   - out go connections to the project's own pods; to the outside world, because jobs fetch packages, data and models;
//     and to any DNS server, since clusters run theirs as pods, on the nodes or at link-local addresses alike;
//   - so neither other projects' pods nor the services of the site, nor the cluster's own API server, can be reached. Who
//     needs one of them adds a NetworkPolicy, and policies add up.
//
// Every field that the API server would default is set, so that a policy that was changed by hand can be told.
func networkPolicy(system string) networkingv1.NetworkPolicySpec {
	everyPod := metav1.LabelSelector{}
	samePeer := networkingv1.NetworkPolicyPeer{PodSelector: &metav1.LabelSelector{}}
	soma := networkingv1.NetworkPolicyPeer{NamespaceSelector: &metav1.LabelSelector{
		MatchLabels: map[string]string{corev1.LabelMetadataName: system},
	}}
	proxy := networkingv1.NetworkPolicyPeer{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{v1alpha1.LabelProxy: "true"}}}
	udp, tcp, dns := corev1.ProtocolUDP, corev1.ProtocolTCP, intstr.FromInt32(dnsPort)
	return networkingv1.NetworkPolicySpec{
		PodSelector: everyPod,
		PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
		Ingress:     []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{samePeer, soma, proxy}}},
		Egress: []networkingv1.NetworkPolicyEgressRule{
			{To: []networkingv1.NetworkPolicyPeer{samePeer}},
			{Ports: []networkingv1.NetworkPolicyPort{{Protocol: &udp, Port: &dns}, {Protocol: &tcp, Port: &dns}}},
			{To: []networkingv1.NetworkPolicyPeer{
				{IPBlock: &networkingv1.IPBlock{CIDR: "0.0.0.0/0", Except: notOutside.v4}},
				{IPBlock: &networkingv1.IPBlock{CIDR: "::/0", Except: notOutside.v6}},
			}},
		},
	}
}
