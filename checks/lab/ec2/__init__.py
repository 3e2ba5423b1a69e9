"""The lab's EC2: moto keeps the resources, and this package makes it as strict as EC2.

From the bottom up:

refusal        how EC2 says no
form           the Query protocol's parameters
clock          the clock of all limits and states; tests may put it forward
timing         how long each state lasts
faults         calls that fail, hang, are denied, or whose answer is lost
throttle       request limits by token buckets
calls          a record of every call
machines       what must be behind the API; imaginary: in memory only
moto_api       moto inside this process; corrected: its resources with EC2's states
instance_life  volume_life, modification, copy_life: the state machines
tokens         ClientTokens
nixos_images   public images, good and tempting
template_data  the parameters in a launch template; templates: the launch templates and their versions
region         what there is in one region
launch_parameters  what a launch asks for, by its request and its launch template
iam/           who may do what: policies, and what each call asks of them
action         the table of actions; actions/: one file for each group
front          the WSGI application: record, faults, limits, then the action
metadata       169.254.169.254
namespace      sockets inside the lab's network; server: threads that answer
ec2            what a test works with when no machines are needed

and with real machines behind it:

disks          root disks and images; volumes: sparse files
instance_vm    a machine whose root disk stays while the instance exists
hands          a thread for each machine, that does what it is told in order
virtual        the machines that EC2 asks for
cloud          what a test works with: EC2 and its machines, in a lab's network
"""
