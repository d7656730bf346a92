import { Box, Center, chakra, Text, VisuallyHidden } from "@chakra-ui/react";
import { Handle, type Node, type NodeProps, Position, useStore } from "@xyflow/react";
import { memo } from "react";
import { LuCheck, LuTable, LuTarget } from "react-icons/lu";

import { StatusIcon } from "../StatusIcon";
import type { LatticeNode, Room } from "../lattice";

/** What a node is told to look like. */
export type Look = {
  node: LatticeNode;
  room: Room;
  fill: string;
  /** Below its name. */
  detail: string;
  /** When one points at it. */
  title: string;
  isFaded: boolean;
  isFocused: boolean;
  /** Whether Tab reaches it; one node only is in the order, arrow keys go on from there. */
  isTabStop: boolean;
  role: "serving" | "missing" | "nearest" | "";
};

export type LatticeFlowNode = Node<Look, "lattice">;

const Button = chakra("button");
const FAR = 0.42;

const RINGS = {
  serving: { color: "success.solid", icon: LuCheck, word: "answers" },
  missing: { color: "warning.solid", icon: LuTable, word: "answers, since no aggregate does" },
  nearest: { color: "warning.solid", icon: LuTarget, word: "is near" },
};

const Badge = ({ role }: { role: Exclude<Look["role"], ""> }) => {
  const { color, icon: Icon } = RINGS[role];
  return (
    <Center
      aria-hidden
      bg={color}
      borderColor="bg"
      borderRadius="full"
      borderWidth={2}
      boxSize="22px"
      color="white"
      fontSize="11px"
      insetInlineEnd="-9px"
      position="absolute"
      top="-7px"
    >
      <Icon strokeWidth={3} />
    </Center>
  );
};

const HANDLE = { opacity: 0, pointerEvents: "none" } as const;

const Shape = ({ look }: { look: Look }) => {
  const { node, room, fill, isFocused, role } = look;
  const { diameter } = room;
  const isFact = node.kind === "fact";
  const ring = role === "" ? (isFocused ? "brand.focusRing" : undefined) : RINGS[role].color;
  return (
    <Center
      bg={fill === "" ? "bg" : fill}
      borderColor={fill === "" ? "border.emphasized" : fill}
      borderRadius={isFact ? "md" : "full"}
      borderStyle={fill === "" ? "dashed" : "solid"}
      borderWidth={2}
      boxSize={`${diameter}px`}
      flexShrink={0}
      color={isFact ? "bg" : "fg.muted"}
      fontSize={`${Math.max(10, diameter * 0.45)}px`}
      outline={ring === undefined ? undefined : "3px solid"}
      outlineColor={ring}
      outlineOffset="2px"
      position="relative"
    >
      {isFact ? <LuTable aria-hidden /> : null}
      {isFact || node.status === "active" || fill !== "" ? null : <StatusIcon status={node.status} />}
      {role === "" ? null : <Badge role={role} />}
    </Center>
  );
};

type LabelProps = {
  look: Look;
  /** How many times larger than usual: names of facts stay legible from afar. */
  scale: number;
};

const Label = ({ look, scale }: LabelProps) => (
  // Edges that pass behind do not cross the letters.
  <Box
    bg={scale > 1 ? undefined : "bg"}
    data-label
    borderRadius="sm"
    minW={0}
    overflow={scale > 1 ? "visible" : undefined}
    px="3px"
    textAlign="start"
    // Those who hear the page hear it from afar too.
    opacity={scale === 0 ? 0 : undefined}
  >
    <Text
      fontSize={`${14 * Math.max(1, scale)}px`}
      fontWeight={look.isFocused || look.role !== "" ? "bold" : "medium"}
      lineHeight={scale > 1 ? 1 : "17px"}
      truncate={scale <= 1}
      whiteSpace="nowrap"
    >
      {look.node.name}
    </Text>
    {scale > 1 ? null : (
      <Text color="fg.muted" fontSize="12px" lineHeight="15px" truncate>
        {look.detail}
      </Text>
    )}
  </Box>
);

/** How large a label is drawn; 0: not at all, since nobody could read it. */
const labelScale = (zoom: number, isFact: boolean): number => {
  if (zoom >= FAR) {
    return 1;
  }
  return isFact ? Math.min(4, Math.round((4 * FAR) / zoom) / 3) : 0;
};

/** A fact or an aggregate: its shape, as large as it has rows, beside its name. */
export const NodeView = memo(({ data }: NodeProps<LatticeFlowNode>) => {
  const { node, room, title, isFaded, isFocused, isTabStop, role } = data;
  const scale = useStore((state) => labelScale(state.transform[2], node.kind === "fact"));
  return (
    <>
      <Handle isConnectable={false} position={Position.Left} style={HANDLE} type="target" />
      <Button
        _focusVisible={{ outline: "2px solid", outlineColor: "brand.focusRing", outlineOffset: "2px" }}
        alignItems="center"
        aria-pressed={isFocused}
        borderRadius="md"
        className="nopan"
        cursor="pointer"
        _hover={{ opacity: 1 }}
        data-faded={isFaded}
        data-lattice-node={node.id}
        display="flex"
        gap="6px"
        height={`${room.height}px`}
        css={
          isFaded ? { opacity: 0.3, "&:not(:hover, :focus-visible) [data-label]": { opacity: 0 } } : undefined
        }
        tabIndex={isTabStop ? 0 : -1}
        title={title}
        type="button"
        width={`${room.width}px`}
      >
        <Shape look={data} />
        <Label look={data} scale={scale} />
        <VisuallyHidden>
          , {node.kind}
          {role === "" ? "" : `, ${RINGS[role].word}`}
        </VisuallyHidden>
      </Button>
      <Handle isConnectable={false} position={Position.Right} style={HANDLE} type="source" />
    </>
  );
});
NodeView.displayName = "NodeView";
