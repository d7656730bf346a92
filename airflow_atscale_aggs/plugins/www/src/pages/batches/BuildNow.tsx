import { LuHammer } from "react-icons/lu";
import { useNavigate } from "react-router-dom";

import { GuardedButton } from "src/components/GuardedButton";
import { whyNoBuild } from "src/frame/actions/rights";
import { type Model, pageAddress } from "src/frame/models";

type Props = {
  model: Model;
  /** The tab below which the question is asked; empty for the first one. */
  place: string;
};

/** Opens the page's question about a new batch. */
export const BuildNow = ({ model, place }: Props) => {
  const navigate = useNavigate();
  return (
    <GuardedButton
      onClick={() => void navigate(pageAddress(place, model, { build: "all" }))}
      size="sm"
      why={whyNoBuild(model)}
    >
      <LuHammer aria-hidden /> Build now
    </GuardedButton>
  );
};
